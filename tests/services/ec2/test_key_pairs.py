"""Key pairs through boto3."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.cloud import Account


@pytest.fixture
def ec2(account: Account) -> Any:
    return account.client("ec2")


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_created_rsa_key_has_awss_fingerprint(ec2: Any) -> None:
    made = ec2.create_key_pair(KeyName="k")
    key = serialization.load_pem_private_key(made["KeyMaterial"].encode(), None)
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    assert made["KeyFingerprint"].replace(":", "") == hashlib.sha1(der).hexdigest()
    assert made["KeyMaterial"].startswith("-----BEGIN RSA PRIVATE KEY-----")


def test_created_ed25519_key_can_be_loaded(ec2: Any) -> None:
    made = ec2.create_key_pair(KeyName="k", KeyType="ed25519")
    key = serialization.load_ssh_private_key(made["KeyMaterial"].encode(), None)
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).digest()
    assert made["KeyFingerprint"] == base64.b64encode(digest).decode()


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_import_and_describe(ec2: Any, kind: str) -> None:
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    made = ec2.import_key_pair(
        KeyName="mine",
        PublicKeyMaterial=public,
        TagSpecifications=[{"ResourceType": "key-pair", "Tags": [{"Key": "a", "Value": "b"}]}],
    )
    shown = ec2.describe_key_pairs(KeyNames=["mine"], IncludePublicKey=True)["KeyPairs"][0]
    assert shown["KeyType"] == kind
    assert shown["PublicKey"] == public.decode()
    assert shown["KeyFingerprint"] == made["KeyFingerprint"]
    assert shown["Tags"] == [{"Key": "a", "Value": "b"}]


def test_errors(ec2: Any) -> None:
    ec2.create_key_pair(KeyName="k", KeyType="ed25519")
    with pytest.raises(ClientError) as error:
        ec2.create_key_pair(KeyName="k")
    assert code_of(error) == "InvalidKeyPair.Duplicate"
    assert error.value.response["Error"]["Message"] == "The keypair already exists: k"
    with pytest.raises(ClientError) as error:
        ec2.describe_key_pairs(KeyNames=["nope"])
    assert code_of(error) == "InvalidKeyPair.NotFound"
    with pytest.raises(ClientError) as error:
        ec2.import_key_pair(KeyName="bad", PublicKeyMaterial=b"nonsense")
    assert code_of(error) == "InvalidKey.Format"


def test_delete_is_idempotent(ec2: Any) -> None:
    ec2.create_key_pair(KeyName="k", KeyType="ed25519")
    ec2.delete_key_pair(KeyName="k")
    ec2.delete_key_pair(KeyName="k")
    assert ec2.describe_key_pairs()["KeyPairs"] == []
