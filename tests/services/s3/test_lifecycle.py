"""Lifecycles and the archive, on a clock whose days are short."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from controlplane.core.errors import AwsError
from controlplane.core.portable import portable
from controlplane.services.s3 import configurations
from controlplane.services.s3.buckets import Bucket
from controlplane.services.s3.lifecycle import rules as lifecycle
from tests.cloud import Account, Cloud
from tests.services.s3.test_objects import code_of

SECONDS = 30.0
BODY = b"compresses well " * 20_000


def wait_for(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def keys(s3: Any, bucket: str) -> list[str]:
    return [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def put_rules(s3: Any, bucket: str, *rules: dict[str, Any]) -> None:
    s3.put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={
            "Rules": [{"ID": f"r{n}", "Status": "Enabled", "Filter": {}, **rule} for n, rule in enumerate(rules)]
        },
    )


def test_objects_expire_by_prefix_tags_and_size(s3: Any, bucket: str) -> None:
    for key, tags, size in (
        ("old/a", "", 1), ("tag/a", "kind=log", 1), ("tag/b", "kind=other", 1), ("size/a", "", 500),
        ("size/b", "", 5), ("keep/a", "", 1),
    ):  # fmt: skip
        s3.put_object(Bucket=bucket, Key=key, Body=b"x" * size, Tagging=tags)
    both = {"And": {"Prefix": "size/", "ObjectSizeGreaterThan": 100, "ObjectSizeLessThan": 1000}}
    put_rules(
        s3,
        bucket,
        {"Filter": {"Prefix": "old/"}, "Expiration": {"Days": 1}},
        {"Filter": {"Tag": {"Key": "kind", "Value": "log"}}, "Expiration": {"Days": 1}},
        {"Filter": both, "Expiration": {"Days": 1}},
        {"Filter": {"Prefix": "keep/"}, "Expiration": {"Date": datetime(2100, 1, 1, tzinfo=UTC)}},
        {"Filter": {"Prefix": "tag/b"}, "Expiration": {"Days": 1}, "Status": "Disabled"},
    )
    assert 'rule-id="r0"' in s3.head_object(Bucket=bucket, Key="old/a")["Expiration"]
    assert "01 Jan 2100" in s3.get_object(Bucket=bucket, Key="keep/a")["Expiration"]
    assert "Expiration" not in s3.head_object(Bucket=bucket, Key="tag/b")
    wait_for(lambda: keys(s3, bucket) == ["keep/a", "size/b", "tag/b"], "the rest is still there")
    put_rules(s3, bucket, {"Filter": {"Prefix": "keep/"}, "Expiration": {"Date": datetime(2020, 1, 1, tzinfo=UTC)}})
    wait_for(lambda: keys(s3, bucket) == ["size/b", "tag/b"], "a date that has passed did nothing")


def test_versions_expire_but_not_locked_ones(s3: Any, account: Account) -> None:
    bucket = f"locked-{account.id}"
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    held = s3.put_object(Bucket=bucket, Key="k", Body=b"0", ObjectLockLegalHoldStatus="ON")["VersionId"]
    kept_until = s3.put_object(
        Bucket=bucket, Key="k", Body=b"1", ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=datetime.now(UTC) + timedelta(seconds=90),
    )["VersionId"]  # fmt: skip
    for body in (b"2", b"3", b"4"):
        last = s3.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"]
    noncurrent = {"NoncurrentDays": 1, "NewerNoncurrentVersions": 1}
    put_rules(s3, bucket, {"Expiration": {"Days": 2}, "NoncurrentVersionExpiration": noncurrent})

    def left() -> set[str]:
        return {item["VersionId"] for item in s3.list_object_versions(Bucket=bucket).get("Versions", [])}

    wait_for(lambda: left() == {held, kept_until, last}, "the wrong versions are left")
    assert s3.list_object_versions(Bucket=bucket)["DeleteMarkers"][0]["IsLatest"]
    s3.put_object_legal_hold(Bucket=bucket, Key="k", VersionId=held, LegalHold={"Status": "OFF"})
    wait_for(lambda: left() == {kept_until, last}, "the version that nobody holds any more is still there")


def test_lone_delete_markers_and_uploads_go(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="gone", Body=b"x")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="gone")
    s3.delete_object(Bucket=bucket, Key="gone", VersionId=version)
    s3.put_object(Bucket=bucket, Key="hidden", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="hidden")
    put_rules(
        s3, bucket, {"Expiration": {"ExpiredObjectDeleteMarker": True},
                     "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
    )  # fmt: skip
    upload = s3.create_multipart_upload(Bucket=bucket, Key="u")
    assert upload["AbortRuleId"] == "r0"
    s3.upload_part(Bucket=bucket, Key="u", UploadId=upload["UploadId"], PartNumber=1, Body=BODY)

    def markers() -> list[str]:
        return [item["Key"] for item in s3.list_object_versions(Bucket=bucket).get("DeleteMarkers", [])]

    wait_for(lambda: markers() == ["hidden"], "the lone marker is still there")
    wait_for(lambda: "Uploads" not in s3.list_multipart_uploads(Bucket=bucket), "the upload is still there")


def test_objects_move_to_the_archive_and_back(cloud: Cloud, s3: Any, bucket: str, account: Account) -> None:
    sqs = account.client("sqs")
    queue = sqs.create_queue(QueueName="restores")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{account.id}:restores"
    allow = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "*", "Resource": arn}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps({"Statement": [allow]})})
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectRestore:*", "s3:LifecycleTransition"]}]
        },
    )
    s3.put_object(Bucket=bucket, Key="whole", Body=BODY)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    parts = []
    for number, body in ((1, BODY * 17), (2, BODY)):
        etag = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=number, Body=body)["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    s3.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})
    s3.put_object(Bucket=bucket, Key="small", Body=b"x")
    put_rules(s3, bucket, {"Transitions": [{"Days": 0, "StorageClass": "DEEP_ARCHIVE"}]})

    def class_of(key: str) -> str:
        return str(s3.head_object(Bucket=bucket, Key=key).get("StorageClass", "STANDARD"))

    wait_for(lambda: {class_of("whole"), class_of("parts")} == {"DEEP_ARCHIVE"}, "nothing has moved")
    assert class_of("small") == "STANDARD"
    cold = sum(path.stat().st_size for path in (cloud.home / "cold/DEEP_ARCHIVE").rglob("*") if path.is_file())
    assert 0 < cold < len(BODY), "the archive is not compressed"
    for key, expected in (("whole", BODY), ("parts", BODY * 18)):
        with pytest.raises(ClientError) as cold_still:
            s3.get_object(Bucket=bucket, Key=key)
        assert code_of(cold_still) == "InvalidObjectState"
        with pytest.raises(ClientError) as copied:
            s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/{key}")
        assert code_of(copied) == "InvalidObjectState"
        with pytest.raises(ClientError) as hasty:
            s3.restore_object(Bucket=bucket, Key=key, RestoreRequest={"Days": 1, "Tier": "Expedited"})
        assert code_of(hasty) == "InvalidArgument"
        asked = s3.restore_object(Bucket=bucket, Key=key, RestoreRequest={"Days": 2, "Tier": "Standard"})
        assert asked["ResponseMetadata"]["HTTPStatusCode"] == 202
        wait_for(lambda key=key: "false" in s3.head_object(Bucket=bucket, Key=key)["Restore"], "no copy comes")
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == expected
        assert s3.get_object(Bucket=bucket, Key=key, Range="bytes=70000-70009")["Body"].read() == expected[70000:70010]
        s3.copy_object(Bucket=bucket, Key=f"{key}-copy", CopySource=f"{bucket}/{key}")
        assert s3.get_object(Bucket=bucket, Key=f"{key}-copy")["Body"].read() == expected
    wait_for(lambda: "Restore" not in s3.head_object(Bucket=bucket, Key="whole"), "the copy does not expire")
    with pytest.raises(ClientError):
        s3.get_object(Bucket=bucket, Key="whole")
    told: set[tuple[str, str]] = set()

    def all_told() -> bool:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            for record in json.loads(message["Body"]).get("Records", ()):
                told.add((record["eventName"], record["s3"]["object"]["key"]))
        names = ("LifecycleTransition", "ObjectRestore:Post", "ObjectRestore:Completed", "ObjectRestore:Delete")
        return {(name, "whole") for name in names} <= told

    wait_for(all_told, f"only {told} was told")


def test_what_is_put_into_the_archive_lies_there(cloud: Cloud, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=BODY, StorageClass="GLACIER")
    s3.put_object(Bucket=bucket, Key="now", Body=b"at once", StorageClass="GLACIER_IR")
    assert s3.get_object(Bucket=bucket, Key="now")["Body"].read() == b"at once"
    with pytest.raises(ClientError) as standard:
        s3.restore_object(Bucket=bucket, Key="now", RestoreRequest={"Days": 1})
    assert code_of(standard) == "InvalidObjectState"
    s3.restore_object(Bucket=bucket, Key="k", RestoreRequest={"Days": 300, "Tier": "Bulk"})
    with pytest.raises(ClientError) as twice:
        s3.restore_object(Bucket=bucket, Key="k", RestoreRequest={"Days": 300, "Tier": "Bulk"})
    assert code_of(twice) == "RestoreAlreadyInProgress"
    s3.restore_object(Bucket=bucket, Key="k", RestoreRequest={"Days": 300, "Tier": "Expedited"})
    wait_for(lambda: "false" in s3.head_object(Bucket=bucket, Key="k")["Restore"], "no copy comes")
    again = s3.restore_object(Bucket=bucket, Key="k", RestoreRequest={"Days": 500})
    assert again["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == BODY
    stranger = cloud.new_account().client("s3")
    with pytest.raises(ClientError) as foreign:
        stranger.restore_object(Bucket=bucket, Key="k", RestoreRequest={"Days": 1})
    assert code_of(foreign) == "AccessDenied"


def test_nothing_moves_to_infrequent_access_before_its_time() -> None:
    def rule(**actions: Any) -> list[dict[str, Any]]:
        return [{"ID": "r", "Status": "Enabled", "Filter": {}, **actions}]

    young = rule(Transitions=[{"Days": 29, "StorageClass": "STANDARD_IA"}])
    older = rule(NoncurrentVersionTransitions=[{"NoncurrentDays": 29, "StorageClass": "ONEZONE_IA"}])
    for rules, words in (
        (young, "'Days' in Transition action must be greater than or equal to 30 for storageClass 'STANDARD_IA'"),
        (older, "'NoncurrentDays' in NoncurrentVersionTransition action must be greater than or equal to 30"),
    ):
        with pytest.raises(AwsError) as refused:
            configurations.lifecycle(rules, real_days=True, free_filters=False)
        assert words in refused.value.message and refused.value.code == "InvalidArgument"
        assert configurations.lifecycle(rules, real_days=False, free_filters=False) == rules, (
            "nobody waits for that in a test"
        )
    at_once = rule(Transitions=[{"Days": 0, "StorageClass": "GLACIER"}], Expiration={"Days": 1})
    assert configurations.lifecycle(at_once, real_days=True, free_filters=False) == at_once
    twice = rule(Transitions=[{"Days": days, "StorageClass": "GLACIER"} for days in (1, 2)])
    with pytest.raises(AwsError, match="must be different"):
        configurations.lifecycle(twice, real_days=True, free_filters=False)


def test_a_filter_that_is_free_covers_only_what_all_of_it_covers() -> None:
    def checked(**filter: Any) -> list[dict[str, Any]]:
        rule = {"ID": "r", "Status": "Enabled", "Filter": filter, "Expiration": {"Days": 1}}
        return configurations.lifecycle([rule], real_days=True, free_filters=True)

    def covers(key: bytes, tags: dict[str, str], size: int, **filter: Any) -> bool:
        settings = {"lifecycle": {"Rules": portable(checked(**filter))}}
        (rule,) = lifecycle.of_bucket(Bucket(1, "", "", "b", None, settings, {}, datetime.now(UTC)))
        return rule.covers(key, tags, size)

    one, other = {"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}
    both = {"Prefix": "logs/", "Tag": one, "And": {"Tags": [other], "ObjectSizeGreaterThan": 5}}
    assert covers(b"logs/k", {"a": "1", "b": "2"}, 6, **both)
    assert not covers(b"k", {"a": "1", "b": "2"}, 6, **both)
    assert not covers(b"logs/k", {"b": "2"}, 6, **both)
    assert not covers(b"logs/k", {"a": "1"}, 6, **both)
    assert not covers(b"logs/k", {"a": "1", "b": "2"}, 5, **both)
    assert covers(b"logs/k", {}, 1, Prefix="logs/", And={"Prefix": "log"})
    assert not covers(b"logarithms", {}, 1, Prefix="logs/", And={"Prefix": "log"})
    for nothing in ({"Prefix": "a", "And": {"Prefix": "b"}}, {"Tag": one, "And": {"Tags": [{**one, "Value": "2"}]}}):
        with pytest.raises(AwsError):
            checked(**nothing)
