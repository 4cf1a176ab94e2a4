"""Words, orders and defaults that AWS was recorded to have, in places where others would do as well."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from controlplane.services.s3 import versions
from tests.cloud import Account, Cloud

UNKNOWN = "HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD"
"""Text that has the form of a version id, and was never given out."""


def refused(function: Any, **arguments: Any) -> dict[str, Any]:
    """The error of a call, with its status."""
    with pytest.raises(ClientError) as error:
        function(**arguments)
    answer = error.value.response
    return {**answer["Error"], "Status": answer["ResponseMetadata"]["HTTPStatusCode"]}


def test_version_ids_that_were_never_given_out_are_told_from_those_of_what_is_gone(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert refused(s3.delete_bucket, Bucket=bucket)["Message"] == "The bucket you tried to delete is not empty"
    s3.delete_object(Bucket=bucket, Key="k")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    gone = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    for _ in range(2):
        s3.delete_object(Bucket=bucket, Key="k", VersionId=gone)
    assert refused(s3.get_object, Bucket=bucket, Key="k", VersionId=gone)["Code"] == "NoSuchVersion"
    for wrong in (UNKNOWN, gone[:-4] + "ABCD"):
        for function in (s3.delete_object, s3.get_object):
            error = refused(function, Bucket=bucket, Key="k", VersionId=wrong)
            assert (error["Status"], error["Code"], error["ArgumentValue"]) == (400, "InvalidArgument", wrong)
    named = [{"Key": "k", "VersionId": UNKNOWN}, {"Key": "k", "VersionId": gone}]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": named})
    assert [error["Code"] for error in answer["Errors"]] == ["NoSuchVersion"]
    assert [item["VersionId"] for item in answer["Deleted"]] == [gone]
    s3.delete_object(Bucket=bucket, Key="k")
    assert refused(s3.delete_bucket, Bucket=bucket)["Message"].endswith("You must delete all versions in the bucket.")


def test_no_condition_of_an_upload_holds_where_its_key_changed_meanwhile(s3: Any, bucket: str) -> None:
    named = {"Bucket": bucket, "Key": "k"}

    def begun() -> dict[str, Any]:
        id = s3.create_multipart_upload(**named)["UploadId"]
        etag = s3.upload_part(**named, UploadId=id, PartNumber=1, Body=b"part")["ETag"]
        return {**named, "UploadId": id, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}}

    complete = s3.complete_multipart_upload
    for status in ("Suspended", "Enabled"):  # the first one while the bucket has never kept versions
        old = s3.put_object(**named, Body=b"old")["ETag"]
        first, second = begun(), begun()
        new = s3.put_object(**named, Body=b"new")["ETag"]
        assert refused(complete, **first, IfMatch=old)["Code"] == "PreconditionFailed"
        conflict = refused(complete, **first, IfMatch=new)
        assert (conflict["Status"], conflict["Code"], conflict["Condition"], conflict["Key"]) == (
            409, "ConditionalRequestConflict", "If-Match", "k",
        )  # fmt: skip
        s3.delete_object(**named)
        assert refused(complete, **first, IfMatch=new)["Code"] == "NoSuchKey"
        assert refused(complete, **second, IfNoneMatch="*")["Code"] == "ConditionalRequestConflict"
        again = begun()
        assert complete(**again, IfNoneMatch="*")["ETag"] == complete(**again, IfNoneMatch="*")["ETag"]
        later = begun()
        assert complete(**later, IfMatch=s3.head_object(**named)["ETag"])["Key"] == "k"
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
        s3.delete_object(**named)


@pytest.mark.parametrize(
    ("conditions", "header", "more"),
    [
        ({"IfMatch": "*"}, "If-Match", "We don't accept the provided value of If-Match header for this API"),
        ({"IfNoneMatch": '"tag"'}, "If-None-Match", "We don't accept the provided value of If-None-Match header"),
        ({"IfMatch": "a", "IfNoneMatch": "*"}, "If-Match,If-None-Match", "Multiple conditional request headers"),
    ],
)
def test_conditions_that_writes_do_not_know(
    s3: Any, bucket: str, conditions: dict[str, str], header: str, more: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    for function, arguments in ((s3.put_object, {}), (s3.copy_object, {"CopySource": f"{bucket}/k"})):
        error = refused(function, Bucket=bucket, Key="other", **arguments, **conditions)
        assert (error["Status"], error["Code"], error["Header"]) == (501, "NotImplemented", header)
        assert error["additionalMessage"].startswith(more)


def test_nothing_is_appended(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    error = refused(s3.put_object, Bucket=bucket, Key="k", Body=b"2", WriteOffsetBytes=1)
    assert (error["Status"], error["Code"], error["Header"]) == (501, "NotImplemented", "x-amz-write-offset-bytes")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"


def test_a_time_to_come_is_no_condition(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    copied = {"Bucket": bucket, "Key": "c", "CopySource": f"{bucket}/k"}
    assert s3.copy_object(**copied, CopySourceIfModifiedSince=tomorrow)["CopyObjectResult"]["ETag"]
    assert s3.get_object(Bucket=bucket, Key="k", IfModifiedSince=tomorrow)["ContentLength"] == 10
    part = {**copied, "PartNumber": 1, "UploadId": s3.create_multipart_upload(Bucket=bucket, Key="c")["UploadId"]}
    assert refused(s3.upload_part_copy, **part, CopySourceRange="bytes=0-10")["Code"] == "InvalidArgument"
    assert refused(s3.upload_part_copy, **part, CopySourceRange="bytes=10-20")["Code"] == "InvalidRequest"


def test_a_marker_inside_a_common_prefix_passes_it(s3: Any, bucket: str) -> None:
    keys = ["a/1", "a/2", "b", "c"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
        s3.create_multipart_upload(Bucket=bucket, Key=key)
    asked = {"Bucket": bucket, "Delimiter": "/"}
    assert [item["Key"] for item in s3.list_objects(**asked, Marker="a/1")["Contents"]] == ["b", "c"]
    page = s3.list_object_versions(**asked, KeyMarker="a/1")
    assert "CommonPrefixes" not in page and [item["Key"] for item in page["Versions"]] == ["b", "c"]
    page = s3.list_multipart_uploads(**asked, KeyMarker="a/1", MaxUploads=1)
    assert [item["Key"] for item in page["Uploads"]] == ["b"] and page["NextKeyMarker"] == "b"
    only = s3.list_multipart_uploads(**asked, Prefix="a", MaxUploads=1)
    assert only["CommonPrefixes"] == [{"Prefix": "a/"}] and only["NextKeyMarker"] == ""
    # The second version of the list tells what there is behind a key, be it in a common prefix or not.
    page = s3.list_objects_v2(**asked, StartAfter="a/1", MaxKeys=1)
    assert page["CommonPrefixes"] == [{"Prefix": "a/"}] and page["StartAfter"] == "a/1"
    page = s3.list_objects_v2(**asked, StartAfter="a/1", ContinuationToken=page["NextContinuationToken"])
    assert [item["Key"] for item in page["Contents"]] == ["b", "c"] and "StartAfter" not in page
    assert "ArgumentValue" not in refused(s3.list_objects_v2, Bucket=bucket, ContinuationToken="")


def test_uploads_of_a_key_are_listed_as_they_began(s3: Any, bucket: str) -> None:
    ids = [s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"] for _ in range(5)]
    found, marker = [], {}
    while True:
        page = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=2, **marker)
        found += [item["UploadId"] for item in page["Uploads"]]
        if not page["IsTruncated"]:
            break
        marker = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    assert found == ids
    error = refused(s3.list_multipart_uploads, Bucket=bucket, KeyMarker="j", UploadIdMarker=ids[0])
    assert (error["Code"], error["ArgumentName"]) == ("InvalidArgument", "upload-id-marker")
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=ids[1])
    page = s3.list_multipart_uploads(Bucket=bucket, KeyMarker="k", UploadIdMarker=ids[1])
    assert [item["UploadId"] for item in page["Uploads"]] == [ids[0], *ids[2:]]


def test_version_ids_have_dots_and_those_made_with_dashes_are_read() -> None:
    for place in (versions.new_place() for _ in range(50)):
        id = versions.new(place)
        assert re.fullmatch(r"[A-Za-z0-9._]{32}", id)
        assert versions.read(id) == (id, place) and versions.read(id.replace(".", "-"))[1] == place


def test_versions_behind_one_that_is_gone(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    ids = [s3.put_object(Bucket=bucket, Key="k", Body=b"")["VersionId"] for _ in range(5)][::-1]
    for id in ids[:3]:
        s3.delete_object(Bucket=bucket, Key="k", VersionId=id)
    page = s3.list_object_versions(Bucket=bucket, KeyMarker="k", VersionIdMarker=ids[2])["Versions"]
    assert [(item["VersionId"], item["IsLatest"]) for item in page] == [(ids[3], True), (ids[4], False)]
    page = s3.list_object_versions(Bucket=bucket, KeyMarker="k", VersionIdMarker=ids[3])["Versions"]
    assert [(item["VersionId"], item["IsLatest"]) for item in page] == [(ids[4], False)]


def test_a_lock_is_told_to_the_millisecond(s3: Any, bucket: str) -> None:
    s3.create_bucket(Bucket=f"{bucket}-locked", ObjectLockEnabledForBucket=True)
    until = datetime.now(UTC).replace(microsecond=678_000) + timedelta(seconds=2)
    named = {"Bucket": f"{bucket}-locked", "Key": "k"}
    version = s3.put_object(**named)["VersionId"]
    s3.put_object_retention(**named, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": until})
    assert s3.get_object_retention(**named)["Retention"]["RetainUntilDate"] == until
    assert s3.head_object(**named)["ObjectLockRetainUntilDate"] == until
    assert refused(s3.delete_object, **named, VersionId=version)["Code"] == "AccessDenied"
    time.sleep(max((until - datetime.now(UTC)).total_seconds(), 0) + 0.01)
    s3.delete_object(**named, VersionId=version)


def test_words_of_refusals(account: Account, s3: Any, bucket: str) -> None:
    lax = boto3.client(
        "s3",
        endpoint_url=account.endpoint,
        region_name="us-east-1",
        aws_access_key_id=account.access_key_id,
        aws_secret_access_key=account.secret_access_key,
        config=Config(parameter_validation=False),
    )
    rule = {"ServerSideEncryptionConfiguration": {"Rules": []}}
    assert refused(s3.put_bucket_encryption, Bucket=f"no-{bucket}", **rule)["Code"] == "NoSuchBucket"
    assert refused(s3.put_bucket_encryption, Bucket=bucket, **rule)["Code"] == "MalformedXML"
    for document, words in (("", "first byte must be '{'"), ("{}", "Missing required field Statement")):
        error = refused(s3.put_bucket_policy, Bucket=bucket, Policy=document)
        assert error["Code"] == "MalformedPolicy" and words in error["Message"]
    error = refused(lax.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={})
    assert error["Code"] == "IllegalVersioningConfigurationException"
    error = refused(s3.create_bucket, Bucket=f"{bucket}-2", ObjectOwnership="")
    assert error["Message"] == "Invalid x-amz-object-ownership header: "
    assert refused(s3.list_buckets, BucketRegion="mars-1")["ArgumentName"] == "bucket-region"
    error = refused(s3.put_object, Bucket=bucket, Key="k", Tagging="a=b,c=d")
    assert (error["Code"], error["ArgumentValue"]) == ("InvalidArgument", "a=b,c=d")
    assert refused(s3.get_object_tagging, Bucket=bucket, Key="no")["Key"] == f"{bucket}/no"
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    system = {"TagSet": [{"Key": "aws:k", "Value": "v"}]}
    error = refused(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging=system)
    assert error["Message"] == "Your TagKey cannot be prefixed with aws:"
    assert "start with" in refused(
        s3.create_bucket, Bucket=f"{bucket}-2", CreateBucketConfiguration={"Tags": system["TagSet"]}
    )["Message"]  # fmt: skip
    tags = {"CreateBucketConfiguration": {"Tags": [{"Key": "k", "Value": "v"}]}}
    assert refused(s3.create_bucket, Bucket=bucket, **tags)["Code"] == "BucketAlreadyOwnedByYou"
    lax.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": None})
    id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    assert lax.list_parts(Bucket=bucket, Key="k", UploadId=id, PartNumberMarker="", MaxParts="")["MaxParts"] == 1000


def test_events_of_settings_and_of_markers(cloud: Cloud, account: Account, s3: Any, bucket: str) -> None:
    sqs = account.client("sqs")
    name = f"s3-events-{bucket}"[:80]
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    try:
        _hear(s3, sqs, bucket, url, arn)
    finally:
        sqs.delete_queue(QueueUrl=url)


def _hear(s3: Any, sqs: Any, bucket: str, url: str, arn: str) -> None:
    let_in = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**let_in, "Resource": arn}]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    rules = [{"Name": "PREFIX", "Value": "k"}]
    events = ["s3:ObjectTagging:*", "s3:ObjectAcl:Put", "s3:ObjectRemoved:*"]
    wanted = {"QueueArn": arn, "Events": events, "Filter": {"Key": {"FilterRules": rules}}}
    asked = {"Bucket": bucket, "NotificationConfiguration": {"QueueConfigurations": [wanted]}}
    s3.put_bucket_notification_configuration(**asked)
    rules[0]["Name"] = "middle"
    assert refused(s3.put_bucket_notification_configuration, **asked)["ArgumentValue"] == "middle"
    del rules[0]["Value"]
    assert refused(s3.put_bucket_notification_configuration, **asked)["Code"] == "MalformedXML"
    wanted |= {"QueueArn": "queue", "Filter": {}}
    assert refused(s3.put_bucket_notification_configuration, **asked)["ArgumentName"] == "Queue"
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    traced = {"X-Amzn-Trace-Id": "Root=1-3152b799-8954dae64eda91bc9a23a7e8;Parent=7fa8c0f79203be72;Sampled=1"}
    s3.meta.events.register("before-call.s3.*", lambda params, **_: params["headers"].update(traced))
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": []})
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="private")  # as it was: no event
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    heard: dict[str, Any] = {}
    traces = set()
    until = time.monotonic() + 60
    while len(heard) < 3 and time.monotonic() < until:
        for message in sqs.receive_message(
            QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10, AttributeNames=["AWSTraceHeader"]
        ).get("Messages", ()):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            for record in json.loads(message["Body"]).get("Records", ()):
                assert "cause" not in json.loads(message["Body"])
                traces.add(message["Attributes"]["AWSTraceHeader"])
                assert record["eventName"] not in heard
                heard[record["eventName"]] = record
    assert traces == set(traced.values())
    for name in ("ObjectTagging:Put", "ObjectAcl:Put"):
        told = heard[name]["s3"]["object"]
        assert heard[name]["eventVersion"] == "2.3" and set(told) == {"key", "eTag", "versionId"}
        assert told["versionId"] == version
    told = heard["ObjectRemoved:DeleteMarkerCreated"]["s3"]["object"]
    assert told["versionId"] == marker and told["eTag"] == "d41d8cd98f00b204e9800998ecf8427e" and "size" not in told
