"""Where material comes from and goes: rotation, import and expiry, other regions."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_public_key

from tests.cloud import Account, Cloud
from tests.services.kms.conftest import SYMMETRIC, in_database, refused

FOR_EVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}


def due(cloud: Cloud, kind: str, id: str) -> None:
    in_database(cloud, "UPDATE work_items SET due_at = now() WHERE kind = $1 AND key = $2", kind, f"us-east-1/{id}")


def test_old_ciphertexts_open_after_rotations(kms: Any, key: dict[str, Any]) -> None:
    id = key["KeyId"]
    blobs = [kms.encrypt(KeyId=id, Plaintext=b"0")["CiphertextBlob"]]
    for n in (1, 2):
        assert kms.rotate_key_on_demand(KeyId=id)["KeyId"] == key["Arn"]
        blobs.append(kms.encrypt(KeyId=id, Plaintext=str(n).encode())["CiphertextBlob"])
    opened = [kms.decrypt(CiphertextBlob=blob) for blob in blobs]
    assert [item["Plaintext"] for item in opened] == [b"0", b"1", b"2"]
    assert len({item["KeyMaterialId"] for item in opened}) == 3
    rotations = kms.list_key_rotations(KeyId=id)["Rotations"]
    assert [item["KeyMaterialId"] for item in rotations] == [item["KeyMaterialId"] for item in opened[1:]]
    assert {item["RotationType"] for item in rotations} == {"ON_DEMAND"}
    every = kms.list_key_rotations(KeyId=id, IncludeKeyMaterial="ALL_KEY_MATERIAL", Limit=2)
    assert [item["KeyMaterialState"] for item in every["Rotations"]] == ["NON_CURRENT", "NON_CURRENT"]
    last = kms.list_key_rotations(KeyId=id, IncludeKeyMaterial="ALL_KEY_MATERIAL", Marker=every["NextMarker"])
    assert [item["KeyMaterialState"] for item in last["Rotations"]] == ["CURRENT"]


def test_automatic_rotation(kms: Any, key: dict[str, Any], cloud: Cloud) -> None:
    id = key["KeyId"]
    assert not kms.get_key_rotation_status(KeyId=id)["KeyRotationEnabled"]
    kms.enable_key_rotation(KeyId=id, RotationPeriodInDays=90)
    status = kms.get_key_rotation_status(KeyId=id)
    assert status["RotationPeriodInDays"] == 90
    assert abs(status["NextRotationDate"] - datetime.now(UTC) - timedelta(days=90)) < timedelta(hours=1)
    blob = kms.encrypt(KeyId=id, Plaintext=b"x")["CiphertextBlob"]
    in_database(cloud, "UPDATE kms_keys SET rotates_at = now() WHERE id = $1", id)
    due(cloud, "kms.rotation", id)
    cloud.wait_until(lambda: kms.list_key_rotations(KeyId=id)["Rotations"], 20)
    assert kms.list_key_rotations(KeyId=id)["Rotations"][0]["RotationType"] == "AUTOMATIC"
    assert kms.get_key_rotation_status(KeyId=id)["NextRotationDate"] > status["NextRotationDate"] - timedelta(hours=1)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    kms.disable_key_rotation(KeyId=id)
    assert not kms.get_key_rotation_status(KeyId=id)["KeyRotationEnabled"]
    pair = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    assert refused(kms.enable_key_rotation, KeyId=pair)[0] == "UnsupportedOperationException"
    assert kms.get_key_rotation_status(KeyId=pair)["KeyRotationEnabled"] is False


def wrapped(kms: Any, id: str, secret: bytes, algorithm: str = "RSAES_OAEP_SHA_256") -> dict[str, Any]:
    """What ImportKeyMaterial takes."""
    got = kms.get_parameters_for_import(KeyId=id, WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_2048")
    public: Any = load_der_public_key(got["PublicKey"])
    digest = hashes.SHA1() if algorithm.endswith("SHA_1") else hashes.SHA256()
    oaep = padding.OAEP(padding.MGF1(digest), digest, None)
    if algorithm.startswith("RSA_AES"):
        inner = os.urandom(32)
        sent = public.encrypt(inner, oaep) + aes_key_wrap_with_padding(inner, secret)
    else:
        sent = public.encrypt(secret, oaep)
    return {"KeyId": id, "ImportToken": got["ImportToken"], "EncryptedKeyMaterial": sent}


def external(kms: Any, spec: str = SYMMETRIC, usage: str = "ENCRYPT_DECRYPT") -> str:
    return str(kms.create_key(Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"])


@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_256"])
def test_imported_material(kms: Any, algorithm: str) -> None:
    id, secret = external(kms), os.urandom(32)
    assert kms.describe_key(KeyId=id)["KeyMetadata"]["KeyState"] == "PendingImport"
    assert refused(kms.encrypt, KeyId=id, Plaintext=b"x")[0] == "KMSInvalidStateException"
    assert refused(kms.import_key_material, **wrapped(kms, id, secret, algorithm)) == (
        "ValidationException",
        "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES",
    )
    first = kms.import_key_material(**wrapped(kms, id, secret, algorithm), **FOR_EVER)
    shown = kms.describe_key(KeyId=id)["KeyMetadata"]
    assert (shown["KeyState"], shown["CurrentKeyMaterialId"]) == ("Enabled", first["KeyMaterialId"])
    blob = kms.encrypt(KeyId=id, Plaintext=b"x")["CiphertextBlob"]
    kms.delete_imported_key_material(KeyId=id)
    assert refused(kms.decrypt, CiphertextBlob=blob)[0] == "KMSInvalidStateException"
    other = wrapped(kms, id, os.urandom(32), algorithm)
    assert refused(kms.import_key_material, **other, **FOR_EVER)[0] == "IncorrectKeyMaterialException"
    kms.import_key_material(**wrapped(kms, id, secret, algorithm), **FOR_EVER)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_rotation_to_imported_material(kms: Any) -> None:
    id = external(kms)
    kms.import_key_material(**wrapped(kms, id, os.urandom(32)), **FOR_EVER)
    blob = kms.encrypt(KeyId=id, Plaintext=b"x")["CiphertextBlob"]
    assert refused(kms.rotate_key_on_demand, KeyId=id)[0] == "KMSInvalidStateException"
    new = {"ImportType": "NEW_KEY_MATERIAL", **FOR_EVER}
    second = kms.import_key_material(**wrapped(kms, id, os.urandom(32)), **new)
    assert refused(kms.import_key_material, **wrapped(kms, id, os.urandom(32)), **new)[0] == "KMSInvalidStateException"
    kms.rotate_key_on_demand(KeyId=id)
    assert kms.describe_key(KeyId=id)["KeyMetadata"]["CurrentKeyMaterialId"] == second["KeyMaterialId"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    after = kms.encrypt(KeyId=id, Plaintext=b"y")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=after)["KeyMaterialId"] == second["KeyMaterialId"]


def test_imported_material_expires(kms: Any, cloud: Cloud) -> None:
    id = external(kms)
    valid_to = datetime.now(UTC) + timedelta(days=1)
    kms.import_key_material(**wrapped(kms, id, os.urandom(32)), ValidTo=valid_to)
    shown = kms.describe_key(KeyId=id)["KeyMetadata"]
    assert shown["ExpirationModel"] == "KEY_MATERIAL_EXPIRES"
    assert abs(shown["ValidTo"] - valid_to) < timedelta(seconds=1)
    in_database(cloud, "UPDATE kms_materials SET valid_to = now() WHERE key_id = $1", id)
    cloud.wait_until(lambda: kms.describe_key(KeyId=id)["KeyMetadata"]["KeyState"] == "PendingImport", 5)
    assert refused(kms.encrypt, KeyId=id, Plaintext=b"x")[0] == "KMSInvalidStateException"
    due(cloud, "kms.expiry", id)
    material = {"KeyId": id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}
    cloud.wait_until(lambda: kms.list_key_rotations(**material)["Rotations"][0]["ImportState"] == "PENDING_IMPORT", 20)


def test_imported_key_pairs(kms: Any) -> None:
    for spec, algorithm, private in (
        ("ECC_NIST_P256", "RSAES_OAEP_SHA_256", ec.generate_private_key(ec.SECP256R1())),
        ("RSA_2048", "RSA_AES_KEY_WRAP_SHA_256", rsa.generate_private_key(65537, 2048)),
    ):
        id = external(kms, spec, "SIGN_VERIFY")
        secret = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        kms.import_key_material(**wrapped(kms, id, secret, algorithm), **FOR_EVER)
        public: Any = load_der_public_key(kms.get_public_key(KeyId=id)["PublicKey"])
        assert public == private.public_key()
    wrong = ec.generate_private_key(ec.SECP384R1())
    secret = wrong.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    id = external(kms, "ECC_NIST_P256", "SIGN_VERIFY")
    for bad in (secret, b"nonsense"):
        given = wrapped(kms, id, bad, "RSA_AES_KEY_WRAP_SHA_256")
        assert refused(kms.import_key_material, **given, **FOR_EVER)[0] == "IncorrectKeyMaterialException"


def test_tokens_and_wrapped_material_cannot_be_swapped(kms: Any, key: dict[str, Any]) -> None:
    first, second = external(kms), external(kms)
    given = wrapped(kms, first, os.urandom(32))
    assert (
        refused(kms.import_key_material, **{**given, "KeyId": second}, **FOR_EVER)[0] == "InvalidImportTokenException"
    )
    assert (
        refused(kms.import_key_material, **{**given, "ImportToken": b"x"}, **FOR_EVER)[0]
        == "InvalidImportTokenException"
    )
    broken = {**given, "EncryptedKeyMaterial": b"x" * 256}
    assert refused(kms.import_key_material, **broken, **FOR_EVER)[0] == "InvalidCiphertextException"
    short = wrapped(kms, first, os.urandom(16))
    assert refused(kms.import_key_material, **short, **FOR_EVER)[0] == "IncorrectKeyMaterialException"
    unsupported = refused(
        kms.get_parameters_for_import,
        KeyId=key["KeyId"],
        WrappingAlgorithm="RSAES_OAEP_SHA_256",
        WrappingKeySpec="RSA_2048",
    )
    assert unsupported == (
        "UnsupportedOperationException",
        f"{key['Arn']} origin is AWS_KMS which is not valid for this operation.",
    )


def test_multi_region_keys(kms: Any, account: Account, cloud: Cloud) -> None:
    west = account.client("kms", region="us-west-2")
    id = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    assert id.startswith("mrk-")
    blob = kms.encrypt(KeyId=id, Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]
    replica = kms.replicate_key(KeyId=id, ReplicaRegion="us-west-2", Description="west")["ReplicaKeyMetadata"]
    assert replica["MultiRegionConfiguration"]["MultiRegionKeyType"] == "REPLICA"
    assert refused(kms.replicate_key, KeyId=id, ReplicaRegion="us-west-2")[0] == "AlreadyExistsException"
    assert refused(west.replicate_key, KeyId=id, ReplicaRegion="eu-west-1") == (
        "UnsupportedOperationException",
        f"{replica['Arn']} is not a multi-region primary key.",
    )
    opened = west.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})
    assert (opened["Plaintext"], opened["KeyId"]) == (b"x", replica["Arn"])
    kms.rotate_key_on_demand(KeyId=id)
    newer = kms.encrypt(KeyId=id, Plaintext=b"y")["CiphertextBlob"]
    assert west.decrypt(CiphertextBlob=newer)["Plaintext"] == b"y"
    assert west.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"] == b"x"
    west.disable_key(KeyId=id)
    assert kms.decrypt(CiphertextBlob=newer)["Plaintext"] == b"y", "each region has a state of its own"
    west.enable_key(KeyId=id)
    kms.update_primary_region(KeyId=id, PrimaryRegion="us-west-2")
    configuration = west.describe_key(KeyId=id)["KeyMetadata"]["MultiRegionConfiguration"]
    assert (configuration["MultiRegionKeyType"], configuration["PrimaryKey"]["Region"]) == ("PRIMARY", "us-west-2")

    planned = west.schedule_key_deletion(KeyId=id, PendingWindowInDays=7)
    assert planned["KeyState"] == "PendingReplicaDeletion"
    kms.schedule_key_deletion(KeyId=id, PendingWindowInDays=7)
    in_database(cloud, "UPDATE kms_keys SET deleted_at = now() WHERE id = $1 AND region = 'us-east-1'", id)
    due(cloud, "kms.deletion", id)
    cloud.wait_until(lambda: west.describe_key(KeyId=id)["KeyMetadata"]["KeyState"] == "PendingDeletion", 20)
