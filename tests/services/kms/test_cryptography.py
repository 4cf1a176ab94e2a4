"""What keys compute, checked with `cryptography` from outside where there is a public half."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from tests.services.kms.conftest import refused

SIGNING = [
    ("RSA_2048", f"RSASSA_{scheme}_SHA_{bits}") for scheme in ("PKCS1_V1_5", "PSS") for bits in (256, 384, 512)
] + [
    ("RSA_3072", "RSASSA_PSS_SHA_384"),
    ("RSA_4096", "RSASSA_PKCS1_V1_5_SHA_512"),
    ("ECC_NIST_P256", "ECDSA_SHA_256"),
    ("ECC_NIST_P384", "ECDSA_SHA_384"),
    ("ECC_NIST_P521", "ECDSA_SHA_512"),
    ("ECC_SECG_P256K1", "ECDSA_SHA_256"),
]


def make(kms: Any, spec: str, usage: str) -> str:
    return str(kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"])


def test_ciphertexts_open_with_their_context_only(kms: Any, key: dict[str, Any]) -> None:
    context = {"tenant": "a", "ä": "ö"}
    sealed = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"secret", EncryptionContext=context)
    assert (sealed["KeyId"], sealed["EncryptionAlgorithm"]) == (key["Arn"], "SYMMETRIC_DEFAULT")
    opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context)
    assert (opened["Plaintext"], opened["KeyId"]) == (b"secret", key["Arn"])
    assert opened["KeyMaterialId"] == key["CurrentKeyMaterialId"]
    for wrong in ({}, {"tenant": "a"}, {"tenant": "aä", "": "ö"}, {**context, "more": ""}, {"tenant": "A", "ä": "ö"}):
        answer = refused(kms.decrypt, CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=wrong)
        assert answer == ("InvalidCiphertextException", "")


def test_every_changed_byte_is_noticed(kms: Any, key: dict[str, Any]) -> None:
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"secret")["CiphertextBlob"]
    for place in range(0, len(blob), 7):
        changed = bytearray(blob)
        changed[place] ^= 1
        assert refused(kms.decrypt, CiphertextBlob=bytes(changed))[0] == "InvalidCiphertextException", place
        assert refused(kms.decrypt, CiphertextBlob=bytes(changed), KeyId=key["KeyId"])[0] in (
            "InvalidCiphertextException",
            "IncorrectKeyException",
        )
    for short in (blob[:-1], blob[:20], blob[1:], b"\x01", blob + b"x"):
        assert refused(kms.decrypt, CiphertextBlob=short)[0] == "InvalidCiphertextException"


def test_a_ciphertext_belongs_to_its_key(kms: Any, key: dict[str, Any]) -> None:
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"secret")["CiphertextBlob"]
    assert refused(kms.decrypt, CiphertextBlob=blob, KeyId=other) == (
        "IncorrectKeyException",
        "The key ID in the request does not identify a CMK that can perform this operation.",
    )
    moved = kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other, DestinationEncryptionContext={"a": "b"})
    opened = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], KeyId=other, EncryptionContext={"a": "b"})
    assert opened["Plaintext"] == b"secret"
    assert moved["SourceKeyId"] == key["Arn"]


@pytest.mark.parametrize(
    ("algorithm", "digest"), [("RSAES_OAEP_SHA_1", hashes.SHA1()), ("RSAES_OAEP_SHA_256", hashes.SHA256())]
)
def test_rsa_encryption(kms: Any, algorithm: str, digest: hashes.HashAlgorithm) -> None:
    id = make(kms, "RSA_2048", "ENCRYPT_DECRYPT")
    public: Any = load_der_public_key(kms.get_public_key(KeyId=id)["PublicKey"])
    outside = public.encrypt(b"outside", padding.OAEP(padding.MGF1(digest), digest, None))
    assert kms.decrypt(KeyId=id, CiphertextBlob=outside, EncryptionAlgorithm=algorithm)["Plaintext"] == b"outside"
    inside = kms.encrypt(KeyId=id, Plaintext=b"inside", EncryptionAlgorithm=algorithm)["CiphertextBlob"]
    assert kms.decrypt(KeyId=id, CiphertextBlob=inside, EncryptionAlgorithm=algorithm)["Plaintext"] == b"inside"
    most = 256 - 2 * digest.digest_size - 2
    assert refused(kms.encrypt, KeyId=id, Plaintext=bytes(most + 1), EncryptionAlgorithm=algorithm) == (
        "ValidationException",
        f"Algorithm {algorithm} and key spec RSA_2048 cannot encrypt data larger than {most} bytes.",
    )
    assert refused(kms.decrypt, KeyId=id, CiphertextBlob=b"x" * 256, EncryptionAlgorithm=algorithm)[0] == (
        "InvalidCiphertextException"
    )


@pytest.mark.parametrize(("spec", "algorithm"), SIGNING)
def test_signatures(kms: Any, spec: str, algorithm: str) -> None:
    id, bits = make(kms, spec, "SIGN_VERIFY"), algorithm.rpartition("_")[2]
    digest = getattr(hashlib, f"sha{bits}")(b"message").digest()
    kinds = {"RAW": b"message", "DIGEST": digest}
    public: Any = load_der_public_key(kms.get_public_key(KeyId=id)["PublicKey"])
    hashed = getattr(hashes, f"SHA{bits}")()
    for kind, signed in kinds.items():
        signature = kms.sign(KeyId=id, Message=signed, MessageType=kind, SigningAlgorithm=algorithm)["Signature"]
        if spec.startswith("ECC"):
            public.verify(signature, b"message", ec.ECDSA(hashed))
        else:
            pss = padding.PSS(padding.MGF1(hashed), hashed.digest_size)
            public.verify(signature, b"message", pss if "PSS" in algorithm else padding.PKCS1v15(), hashed)
        for other, message in kinds.items():
            given = {"KeyId": id, "MessageType": other, "SigningAlgorithm": algorithm, "Signature": signature}
            assert kms.verify(Message=message, **given)["SignatureValid"]
        wrong = refused(kms.verify, Message=b"other", **{**given, "MessageType": "RAW"})
        assert wrong == ("KMSInvalidSignatureException", "")
    assert refused(kms.sign, KeyId=id, Message=b"short", MessageType="DIGEST", SigningAlgorithm=algorithm) == (
        "ValidationException",
        f"Digest is invalid length for algorithm {algorithm}.",
    )


@pytest.mark.parametrize("spec", ["ML_DSA_44", "ML_DSA_65", "ML_DSA_87", "ECC_NIST_EDWARDS25519"])
def test_newer_signatures(kms: Any, spec: str) -> None:
    id = make(kms, spec, "SIGN_VERIFY")
    algorithm = kms.describe_key(KeyId=id)["KeyMetadata"]["SigningAlgorithms"][0]
    signature = kms.sign(KeyId=id, Message=b"message", SigningAlgorithm=algorithm)["Signature"]
    load_der_public_key(kms.get_public_key(KeyId=id)["PublicKey"]).verify(signature, b"message")  # type: ignore[union-attr,call-arg]
    given = {"KeyId": id, "SigningAlgorithm": algorithm, "Signature": signature}
    assert kms.verify(Message=b"message", **given)["SignatureValid"]
    assert refused(kms.verify, Message=b"other", **given)[0] == "KMSInvalidSignatureException"


def test_ml_kem_and_ecdh(kms: Any) -> None:
    id = make(kms, "ML_KEM_768", "ENCAPSULATE_DECAPSULATE")
    made = kms.encapsulate(KeyId=id, EncapsulationAlgorithm="ML_KEM")
    blob = made["SharedSecretCiphertextBlob"]
    opened = kms.decapsulate(KeyId=id, EncapsulationAlgorithm="ML_KEM", SharedSecretCiphertextBlob=blob)
    assert opened["SharedSecret"] == made["SharedSecret"]
    short = refused(kms.decapsulate, KeyId=id, EncapsulationAlgorithm="ML_KEM", SharedSecretCiphertextBlob=b"x")
    assert short[0] == "InvalidCiphertextException"

    id = make(kms, "ECC_NIST_P384", "KEY_AGREEMENT")
    ours = ec.generate_private_key(ec.SECP384R1())
    theirs: Any = load_der_public_key(kms.get_public_key(KeyId=id)["PublicKey"])
    peer = ours.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    shared = kms.derive_shared_secret(KeyId=id, KeyAgreementAlgorithm="ECDH", PublicKey=peer)["SharedSecret"]
    assert shared == ours.exchange(ec.ECDH(), theirs)
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    wrong = other.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for bad in (b"nonsense", wrong):
        answer = refused(kms.derive_shared_secret, KeyId=id, KeyAgreementAlgorithm="ECDH", PublicKey=bad)
        assert answer == ("ValidationException", "")


@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_macs(kms: Any, bits: int) -> None:
    id, algorithm = make(kms, f"HMAC_{bits}", "GENERATE_VERIFY_MAC"), f"HMAC_SHA_{bits}"
    mac = kms.generate_mac(KeyId=id, Message=b"message", MacAlgorithm=algorithm)["Mac"]
    assert len(mac) == bits // 8
    assert kms.verify_mac(KeyId=id, Message=b"message", MacAlgorithm=algorithm, Mac=mac)["MacValid"]
    for message, given in ((b"other", mac), (b"message", mac[:-1]), (b"message", bytes(len(mac)))):
        answer = refused(kms.verify_mac, KeyId=id, Message=message, MacAlgorithm=algorithm, Mac=given)
        assert answer == ("KMSInvalidMacException", "")
    wrong = "HMAC_SHA_512" if bits != 512 else "HMAC_SHA_256"
    assert refused(kms.generate_mac, KeyId=id, Message=b"m", MacAlgorithm=wrong) == (
        "InvalidKeyUsageException",
        f"Algorithm {wrong} is incompatible with key spec HMAC_{bits}.",
    )


def test_data_keys(kms: Any, key: dict[str, Any]) -> None:
    id = key["KeyId"]
    for parameters, size in (({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 7}, 7)):
        made = kms.generate_data_key(KeyId=id, EncryptionContext={"a": "b"}, **parameters)
        assert len(made["Plaintext"]) == size
        opened = kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"a": "b"})
        assert opened["Plaintext"] == made["Plaintext"]
    alone = kms.generate_data_key_without_plaintext(KeyId=id, KeySpec="AES_256")
    assert "Plaintext" not in alone
    assert len(kms.decrypt(CiphertextBlob=alone["CiphertextBlob"])["Plaintext"]) == 32
    neither = ("ValidationException", "Please specify either number of bytes or key spec.")
    assert refused(kms.generate_data_key, KeyId=id) == neither
    assert refused(kms.generate_data_key, KeyId=id, KeySpec="AES_128", NumberOfBytes=16) == neither
    dry = ("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
    assert refused(kms.generate_data_key, KeyId=id, KeySpec="AES_256", DryRun=True) == dry
    signing = make(kms, "ECC_NIST_P256", "SIGN_VERIFY")
    wrong = refused(kms.generate_data_key, KeyId=signing, KeySpec="AES_256", DryRun=True)
    assert wrong[0] == "InvalidKeyUsageException"


@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P256", "ECC_SECG_P256K1"])
def test_data_key_pairs(kms: Any, key: dict[str, Any], spec: str) -> None:
    made = kms.generate_data_key_pair(KeyId=key["KeyId"], KeyPairSpec=spec)
    private: Any = load_der_private_key(made["PrivateKeyPlaintext"], None)
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert public == made["PublicKey"]
    assert isinstance(private, rsa.RSAPrivateKey) == spec.startswith("RSA")
    opened = kms.decrypt(CiphertextBlob=made["PrivateKeyCiphertextBlob"])
    assert opened["Plaintext"] == made["PrivateKeyPlaintext"]
    alone = kms.generate_data_key_pair_without_plaintext(KeyId=key["KeyId"], KeyPairSpec=spec)
    assert "PrivateKeyPlaintext" not in alone


def test_random_bytes_and_sizes(kms: Any, key: dict[str, Any]) -> None:
    assert len(kms.generate_random(NumberOfBytes=1024)["Plaintext"]) == 1024
    assert refused(kms.generate_random) == ("ValidationException", "NumberOfBytes is required.")
    assert refused(kms.encrypt, KeyId=key["KeyId"], Plaintext=bytes(4097))[0] == "ValidationException"
    large = {str(n): "x" * 100 for n in range(100)}
    answer = refused(kms.encrypt, KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext=large)
    assert answer[0] == "ValidationException"
    assert refused(kms.decrypt, CiphertextBlob=bytes(6145))[0] == "ValidationException"


def test_keys_are_used_for_one_thing(kms: Any, key: dict[str, Any]) -> None:
    mac = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]
    assert refused(kms.generate_mac, KeyId=key["KeyId"], Message=b"m", MacAlgorithm="HMAC_SHA_256") == (
        "InvalidKeyUsageException",
        f"{key['Arn']} key usage is ENCRYPT_DECRYPT which is not valid for GenerateMac.",
    )
    assert refused(kms.encrypt, KeyId=mac["KeyId"], Plaintext=b"m") == (
        "InvalidKeyUsageException",
        f"{mac['Arn']} key usage is GENERATE_VERIFY_MAC which is not valid for Encrypt.",
    )
    assert refused(kms.get_public_key, KeyId=key["KeyId"])[0] == "UnsupportedOperationException"


def test_secret_parameters_are_not_repeated(kms: Any, key: dict[str, Any]) -> None:
    code, message = refused(kms.encrypt, KeyId=key["KeyId"], Plaintext=b"s3cret" * 700)
    assert code == "ValidationException"
    assert message == (
        "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: "
        "Member must have length less than or equal to 4096"
    )
