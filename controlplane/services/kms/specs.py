"""What each key spec can do: its usages and algorithms, in the order in which AWS lists them."""

from __future__ import annotations

from dataclasses import dataclass, field

SYMMETRIC = "SYMMETRIC_DEFAULT"
ENCRYPT = "ENCRYPT_DECRYPT"
SIGN = "SIGN_VERIFY"
MAC = "GENERATE_VERIFY_MAC"
AGREE = "KEY_AGREEMENT"
ENCAPSULATE = "ENCAPSULATE_DECAPSULATE"

_OAEP = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
_RSA_SIGNING = (
    "RSASSA_PKCS1_V1_5_SHA_256",
    "RSASSA_PKCS1_V1_5_SHA_384",
    "RSASSA_PKCS1_V1_5_SHA_512",
    "RSASSA_PSS_SHA_256",
    "RSASSA_PSS_SHA_384",
    "RSASSA_PSS_SHA_512",
)
_ECDH = ("ECDH",)


@dataclass(frozen=True, slots=True)
class Spec:
    """A key spec. `algorithms` are by usage; `size` is in bits (of modulus, of HMAC key)."""

    name: str
    family: str
    size: int = 0
    algorithms: dict[str, tuple[str, ...]] = field(default_factory=dict)


def _rsa(bits: int) -> Spec:
    return Spec(f"RSA_{bits}", "rsa", bits, {ENCRYPT: _OAEP, SIGN: _RSA_SIGNING})


def _nist(curve: int, digest: int) -> Spec:
    return Spec(f"ECC_NIST_P{curve}", "ecc", curve, {SIGN: (f"ECDSA_SHA_{digest}",), AGREE: _ECDH})


def _hmac(bits: int) -> Spec:
    return Spec(f"HMAC_{bits}", "hmac", bits, {MAC: (f"HMAC_SHA_{bits}",)})


_ALL = [
    Spec(SYMMETRIC, "symmetric", 256, {ENCRYPT: (SYMMETRIC,)}),
    *(_rsa(bits) for bits in (2048, 3072, 4096)),
    _nist(256, 256),
    _nist(384, 384),
    _nist(521, 512),
    Spec("ECC_SECG_P256K1", "ecc", 256, {SIGN: ("ECDSA_SHA_256",)}),
    Spec("ECC_NIST_EDWARDS25519", "edwards", 256, {SIGN: ("ED25519_SHA_512", "ED25519_PH_SHA_512")}),
    *(_hmac(bits) for bits in (224, 256, 384, 512)),
    *(Spec(f"ML_DSA_{level}", "ml-dsa", level, {SIGN: ("ML_DSA_SHAKE_256",)}) for level in (44, 65, 87)),
    *(Spec(f"ML_KEM_{level}", "ml-kem", level, {ENCAPSULATE: ("ML_KEM",)}) for level in (768, 1024)),
]
SPECS = {spec.name: spec for spec in _ALL}
"""What the installed `cryptography` can do; it has neither SM2 nor ML-KEM-512."""

MEMBERS = {
    ENCRYPT: "EncryptionAlgorithms",
    SIGN: "SigningAlgorithms",
    MAC: "MacAlgorithms",
    AGREE: "KeyAgreementAlgorithms",
    ENCAPSULATE: "EncapsulationAlgorithms",
}
"""Where descriptions of keys list the algorithms of a usage."""

_ALWAYS = {"CreateGrant", "RetireGrant", "DescribeKey"}
_WITH_DATA_KEYS = {
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
}
_OF_USAGE = {
    ENCRYPT: {"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo"},
    SIGN: {"Sign", "Verify"},
    MAC: {"GenerateMac", "VerifyMac"},
    AGREE: {"DeriveSharedSecret"},
    ENCAPSULATE: {"Encapsulate", "Decapsulate"},
}


def grantable(spec: str, usage: str) -> set[str]:
    """The operations that a grant on such a key may name."""
    found = _ALWAYS | _OF_USAGE[usage]
    if spec == SYMMETRIC:
        return found | _WITH_DATA_KEYS
    return found if usage == MAC else found | {"GetPublicKey"}
