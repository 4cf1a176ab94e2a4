"""Keys, their states, aliases, tags and lists through boto3."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud import Account, Cloud
from tests.services.kms.conftest import SYMMETRIC, in_database, refused


def test_a_new_key_says_what_it_is(kms: Any, account: Account) -> None:
    made = kms.create_key(Description="mine", Tags=[{"TagKey": "a", "TagValue": "1"}])["KeyMetadata"]
    assert made["Arn"] == f"arn:aws:kms:us-east-1:{account.id}:key/{made['KeyId']}"
    assert len(made["CurrentKeyMaterialId"]) == 64
    expected = {
        "AWSAccountId": account.id,
        "Enabled": True,
        "Description": "mine",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": SYMMETRIC,
        "KeySpec": SYMMETRIC,
        "EncryptionAlgorithms": [SYMMETRIC],
        "MultiRegion": False,
    }
    assert {name: value for name, value in made.items() if name in expected} == expected
    for name in (made["KeyId"], made["Arn"]):
        assert kms.describe_key(KeyId=name)["KeyMetadata"] == made
    assert kms.list_resource_tags(KeyId=made["KeyId"])["Tags"] == [{"TagKey": "a", "TagValue": "1"}]
    kms.update_key_description(KeyId=made["KeyId"], Description="yours")
    assert kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"]["Description"] == "yours"


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"KeySpec": "RSA_2048"}, "ValidationException"),
        ({"KeySpec": "RSA_2048", "KeyUsage": "KEY_AGREEMENT"}, "ValidationException"),
        ({"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"}, "UnsupportedOperationException"),
        ({"KeySpec": "ML_KEM_512", "KeyUsage": "ENCAPSULATE_DECAPSULATE"}, "UnsupportedOperationException"),
        ({"Origin": "AWS_CLOUDHSM"}, "UnsupportedOperationException"),
        ({"CustomKeyStoreId": "cks-1"}, "CustomKeyStoreNotFoundException"),
        ({"Tags": [{"TagKey": "aws:a", "TagValue": ""}]}, "TagException"),
        ({"Policy": "{"}, "MalformedPolicyDocumentException"),
    ],
)
def test_keys_that_cannot_be(kms: Any, parameters: dict[str, Any], code: str) -> None:
    assert refused(kms.create_key, **parameters)[0] == code
    assert kms.list_keys()["Keys"] == []


def test_names_that_name_nothing(kms: Any, account: Account) -> None:
    unknown = "134f2428-cec1-4b25-a1ae-9048164dba47"
    arn = f"arn:aws:kms:us-east-1:{account.id}:key/{unknown}"
    assert refused(kms.describe_key, KeyId=unknown) == ("NotFoundException", f"Key '{arn}' does not exist")
    assert refused(kms.describe_key, KeyId="other") == ("NotFoundException", "Invalid keyId 'other'")
    elsewhere = arn.replace("us-east-1", "eu-west-1")
    assert refused(kms.describe_key, KeyId=elsewhere) == ("NotFoundException", "Invalid arn eu-west-1")
    assert refused(kms.describe_key, KeyId="alias/none") == (
        "NotFoundException",
        f"Alias arn:aws:kms:us-east-1:{account.id}:alias/none is not found.",
    )


def test_states_and_what_they_forbid(kms: Any, key: dict[str, Any]) -> None:
    id, arn = key["KeyId"], key["Arn"]
    blob = kms.encrypt(KeyId=id, Plaintext=b"x")["CiphertextBlob"]
    kms.disable_key(KeyId=id)
    disabled = ("DisabledException", f"{arn} is disabled.")
    for _ in range(20):  # whichever of the gateway's workers answers
        assert refused(kms.encrypt, KeyId=id, Plaintext=b"x") == disabled
    assert refused(kms.decrypt, CiphertextBlob=blob) == disabled
    assert refused(kms.enable_key_rotation, KeyId=id)[0] == "DisabledException"
    kms.enable_key(KeyId=id)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert refused(kms.cancel_key_deletion, KeyId=id)[0] == "KMSInvalidStateException"
    assert refused(kms.schedule_key_deletion, KeyId=id, PendingWindowInDays=6)[0] == "ValidationException"
    planned = kms.schedule_key_deletion(KeyId=id, PendingWindowInDays=7)
    left = planned["DeletionDate"] - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < left < timedelta(days=7, hours=1)
    assert kms.describe_key(KeyId=id)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    pending = ("KMSInvalidStateException", f"{arn} is pending deletion.")
    assert refused(kms.decrypt, CiphertextBlob=blob) == pending
    assert refused(kms.schedule_key_deletion, KeyId=id) == pending
    assert refused(kms.tag_resource, KeyId=id, Tags=[]) == pending
    kms.cancel_key_deletion(KeyId=id)
    assert kms.describe_key(KeyId=id)["KeyMetadata"]["KeyState"] == "Disabled"


def test_a_key_is_deleted_when_its_time_has_come(kms: Any, key: dict[str, Any], cloud: Cloud) -> None:
    id = key["KeyId"]
    kms.create_alias(AliasName="alias/gone", TargetKeyId=id)
    kms.schedule_key_deletion(KeyId=id, PendingWindowInDays=7)
    in_database(cloud, "UPDATE kms_keys SET deleted_at = now() WHERE id = $1", id)
    in_database(
        cloud, "UPDATE work_items SET due_at = now() WHERE kind = 'kms.deletion' AND key = $1", f"us-east-1/{id}"
    )

    def is_gone() -> bool:
        try:
            kms.describe_key(KeyId=id)
        except ClientError as error:
            return error.response["Error"]["Code"] == "NotFoundException"
        return False

    cloud.wait_until(is_gone, 20)
    assert kms.list_aliases()["Aliases"] == []


def test_aliases(kms: Any, key: dict[str, Any], account: Account) -> None:
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/a", TargetKeyId=key["KeyId"])
    arn = f"arn:aws:kms:us-east-1:{account.id}:alias/a"
    assert refused(kms.create_alias, AliasName="alias/a", TargetKeyId=other) == (
        "AlreadyExistsException",
        f"An alias with the name {arn} already exists",
    )
    assert refused(kms.create_alias, AliasName="a", TargetKeyId=other)[0] == "ValidationException"
    assert refused(kms.create_alias, AliasName="alias/aws/a", TargetKeyId=other)[0] == "InvalidAliasNameException"
    assert refused(kms.create_alias, AliasName="alias/b", TargetKeyId="alias/a")[0] == "ValidationException"
    for name in ("alias/a", arn):
        assert kms.describe_key(KeyId=name)["KeyMetadata"]["KeyId"] == key["KeyId"]
    kms.update_alias(AliasName="alias/a", TargetKeyId=other)
    assert kms.describe_key(KeyId="alias/a")["KeyMetadata"]["KeyId"] == other
    signing = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    assert refused(kms.update_alias, AliasName="alias/a", TargetKeyId=signing)[0] == "ValidationException"
    assert kms.list_aliases(KeyId=key["KeyId"])["Aliases"] == []
    (listed,) = kms.list_aliases(KeyId=other)["Aliases"]
    assert (listed["AliasName"], listed["AliasArn"], listed["TargetKeyId"]) == ("alias/a", arn, other)
    kms.delete_alias(AliasName="alias/a")
    assert refused(kms.describe_key, KeyId="alias/a")[0] == "NotFoundException"


def test_lists_come_in_pages(kms: Any) -> None:
    ids = sorted(kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(5))
    first = kms.list_keys(Limit=2)
    assert first["Truncated"]
    assert [item["KeyId"] for item in first["Keys"]] == ids[:2]
    pages = kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2})
    assert [item["KeyId"] for page in pages for item in page["Keys"]] == ids
    assert refused(kms.list_keys, Marker="forged")[0] == "InvalidMarkerException"
    for n in range(5):
        kms.create_alias(AliasName=f"alias/{n}", TargetKeyId=ids[0])
    pages = kms.get_paginator("list_aliases").paginate(PaginationConfig={"PageSize": 2})
    assert [item["AliasName"] for page in pages for item in page["Aliases"]] == [f"alias/{n}" for n in range(5)]


def test_a_services_own_key_is_made_once_and_serves_it_alone(kms: Any, account: Account) -> None:
    made = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert made["KeyManager"] == "AWS"
    assert kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["KeyId"] == made["KeyId"]
    assert kms.get_key_rotation_status(KeyId=made["KeyId"])["RotationPeriodInDays"] == 365
    for call, parameters in (
        (kms.encrypt, {"Plaintext": b"x"}),
        (kms.disable_key, {}),
        (kms.schedule_key_deletion, {}),
        (kms.put_key_policy, {"Policy": "{}"}),
    ):
        assert refused(call, KeyId=made["KeyId"], **parameters)[0] == "AccessDeniedException"
    assert refused(kms.describe_key, KeyId="alias/aws/nonsense")[0] == "NotFoundException"
    assert refused(kms.encrypt, KeyId="alias/aws/sqs", Plaintext=b"x")[0] == "NotFoundException"


def test_tags(kms: Any, key: dict[str, Any]) -> None:
    id = key["KeyId"]
    kms.tag_resource(KeyId=id, Tags=[{"TagKey": "b", "TagValue": "2"}, {"TagKey": "a", "TagValue": "1"}])
    twice = [{"TagKey": "c", "TagValue": "1"}, {"TagKey": "c", "TagValue": "2"}]
    assert refused(kms.tag_resource, KeyId=id, Tags=twice) == ("TagException", "Duplicate tag keys")
    many = [{"TagKey": str(n), "TagValue": ""} for n in range(50)]
    assert refused(kms.tag_resource, KeyId=id, Tags=many) == ("TagException", "Too many tags")
    assert [tag["TagKey"] for tag in kms.list_resource_tags(KeyId=id)["Tags"]] == ["a", "b"]
    kms.untag_resource(KeyId=id, TagKeys=["a", "none"])
    assert kms.list_resource_tags(KeyId=id)["Tags"] == [{"TagKey": "b", "TagValue": "2"}]


def test_a_disabled_key_stops_everywhere_within_a_second(kms: Any, key: dict[str, Any]) -> None:
    id = key["KeyId"]
    for _ in range(10):
        kms.encrypt(KeyId=id, Plaintext=b"x")
    kms.disable_key(KeyId=id)
    time.sleep(1)
    for _ in range(20):
        assert refused(kms.encrypt, KeyId=id, Plaintext=b"x")[0] == "DisabledException"
