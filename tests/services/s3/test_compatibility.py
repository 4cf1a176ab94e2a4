"""A cloud that answers as Ceph's object gateway does where that differs from AWS."""

from __future__ import annotations

import json
import tempfile
import zlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.cloud import Account, Cloud
from tests.services.s3.test_lifecycle import wait_for
from tests.services.s3.test_recorded import refused

LEAST_PART = 5 * 1024 * 1024
CUSTOMER = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
ANOTHER = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "l" * 32}


@pytest.fixture(scope="module")
def ceph_cloud() -> Iterator[Cloud]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        cloud = Cloud(Path(folder), agent=False)
        cloud.start(new_buckets="open", s3_compatibility="ceph", storage_day="2")
        yield cloud
        cloud.stop()


@pytest.fixture(scope="module")
def account(ceph_cloud: Cloud) -> Account:
    return ceph_cloud.new_account()


@pytest.fixture
def s3(account: Account) -> Any:
    return account.client("s3")


@pytest.fixture
def bucket(s3: Any, request: pytest.FixtureRequest) -> str:
    name = request.node.name.replace("_", "-")[:60].rstrip("-")
    s3.create_bucket(Bucket=name)
    return name


def code(function: Any, **arguments: Any) -> tuple[int, str]:
    found = refused(function, **arguments)
    return found["Status"], found["Code"]


@pytest.mark.parametrize("versioned", [False, True])
def test_a_write_may_depend_on_any_entity_tag(s3: Any, versioned: bool) -> None:
    bucket = f"any-tag-{versioned}".lower()
    s3.create_bucket(Bucket=bucket)
    if versioned:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    thing = {"Bucket": bucket, "Key": "k"}
    assert code(s3.put_object, **thing, IfMatch="*") == (404, "NoSuchKey")
    first = s3.put_object(**thing, Body=b"1", IfNoneMatch='"other"')["ETag"]
    assert code(s3.put_object, **thing, IfNoneMatch=first) == (412, "PreconditionFailed")
    assert code(s3.put_object, **thing, IfNoneMatch="*") == (412, "PreconditionFailed")
    second = s3.put_object(**thing, Body=b"2", IfMatch="*")["ETag"]
    assert code(s3.put_object, **thing, IfMatch=first) == (412, "PreconditionFailed")
    s3.put_object(**thing, Body=b"3", IfNoneMatch=first)
    assert code(s3.put_object, **thing, IfMatch=second) == (412, "PreconditionFailed")
    assert code(s3.put_object, **thing, IfMatch="*", IfNoneMatch=first)[0] == 501
    assert s3.get_object(**thing)["Body"].read() == b"3"


def test_refusals_have_the_codes_of_that_gateway(s3: Any, bucket: str) -> None:
    thing = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**thing, Body=b"12345")
    assert code(s3.get_object, **thing, PartNumber=2) == (400, "InvalidPart")
    assert code(s3.put_object, **thing, ChecksumSHA256="bad") == (400, "BadDigest")
    assert code(s3.put_object, **thing, ServerSideEncryption="aws:kms") == (400, "InvalidArgument")
    assert code(s3.list_objects, Bucket=bucket, ExpectedBucketOwner="nobody") == (403, "AccessDenied")
    tags = {"TagSet": [{"Key": str(number), "Value": ""} for number in range(11)]}
    assert code(s3.put_object_tagging, **thing, Tagging=tags) == (400, "InvalidTag")
    s3.put_object(Bucket=bucket, Key="sealed", Body=b"", **CUSTOMER)
    assert code(s3.get_object, Bucket=bucket, Key="sealed", **ANOTHER) == (400, "InvalidArgument")
    upload = {**thing, "UploadId": s3.create_multipart_upload(**thing)["UploadId"]}
    assert code(s3.complete_multipart_upload, **upload) == (400, "MalformedXML")
    beyond = {"CopySource": thing, "CopySourceRange": "bytes=0-20", "PartNumber": 1}
    assert code(s3.upload_part_copy, **upload, **beyond) == (416, "InvalidRange")
    assert code(s3.create_bucket, Bucket=bucket, ACL="public-read") == (409, "BucketAlreadyExists")
    s3.create_bucket(Bucket=bucket)
    link = s3.generate_presigned_url("get_object", thing, ExpiresIn=-7)
    assert httpx.get(link).status_code == 403


def test_parts_are_told_one_by_one_whatever_their_checksums(s3: Any, bucket: str) -> None:
    thing = {"Bucket": bucket, "Key": "k"}
    chosen = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"}
    upload = {**thing, "UploadId": s3.create_multipart_upload(**thing, **chosen)["UploadId"]}
    bodies = [b"a" * LEAST_PART, b"b"]
    parts = [
        s3.upload_part(**upload, PartNumber=number, Body=body, ChecksumAlgorithm="CRC32")
        for number, body in enumerate(bodies, 1)
    ]
    listed = [{"PartNumber": number, "ETag": part["ETag"]} for number, part in enumerate(parts, 1)]
    total = b64encode(zlib.crc32(b"".join(bodies)).to_bytes(4, "big")).decode()
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": listed}, ChecksumCRC32=total)
    told = s3.get_object_attributes(**thing, ObjectAttributes=["ObjectParts"])["ObjectParts"]
    assert [(part["PartNumber"], part["Size"]) for part in told["Parts"]] == [(1, LEAST_PART), (2, 1)]
    second = s3.get_object(**thing, PartNumber=2)
    assert (second["ChecksumCRC32"], second["ChecksumType"]) == (parts[1]["ChecksumCRC32"], "FULL_OBJECT")


def test_a_composite_checksum_keeps_the_number_of_its_parts(s3: Any, bucket: str) -> None:
    thing = {"Bucket": bucket, "Key": "k"}
    upload = {**thing, "UploadId": s3.create_multipart_upload(**thing, ChecksumAlgorithm="SHA256")["UploadId"]}
    part = s3.upload_part(**upload, PartNumber=1, Body=b"a", ChecksumAlgorithm="SHA256")
    unsummed = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    assert code(s3.complete_multipart_upload, **upload, MultipartUpload=unsummed, ChecksumSHA256="bad") == (
        400,
        "BadDigest",
    )
    whole = s3.complete_multipart_upload(**upload, MultipartUpload=unsummed)["ChecksumSHA256"]
    assert whole.endswith("-1")
    attributes = s3.get_object_attributes(**thing, ObjectAttributes=["Checksum"])
    assert attributes["Checksum"]["ChecksumSHA256"] == whole


def test_a_sealed_upload_is_completed_with_its_key_alone(s3: Any, bucket: str) -> None:
    thing = {"Bucket": bucket, "Key": "k"}
    upload = {**thing, "UploadId": s3.create_multipart_upload(**thing, **CUSTOMER)["UploadId"]}
    part = s3.upload_part(**upload, PartNumber=1, Body=b"a", **CUSTOMER)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    for key in ({}, ANOTHER):
        assert code(s3.complete_multipart_upload, **upload, MultipartUpload=parts, **key) == (400, "InvalidRequest")
    told = s3.complete_multipart_upload(**upload, MultipartUpload=parts, **CUSTOMER)["ResponseMetadata"]["HTTPHeaders"]
    assert told["x-amz-server-side-encryption-customer-algorithm"] == "AES256"
    assert code(s3.get_object, **thing, PartNumber=2) == (400, "InvalidPart")


def test_lists_have_the_orders_and_members_of_that_gateway(s3: Any, bucket: str) -> None:
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    grants = s3.get_bucket_acl(Bucket=bucket)["Grants"]
    assert [grant["Grantee"]["Type"] for grant in grants] == ["Group", "CanonicalUser"]
    for key in "abc":
        s3.put_object(Bucket=bucket, Key=key)
    listed = s3.list_objects_v2(Bucket=bucket, ContinuationToken="")
    assert (listed["ContinuationToken"], listed["KeyCount"]) == ("", 3)
    token = s3.list_objects_v2(Bucket=bucket, StartAfter="a", MaxKeys=1)["NextContinuationToken"]
    assert s3.list_objects_v2(Bucket=bucket, StartAfter="a", ContinuationToken=token)["StartAfter"] == "a"


def test_who_logs_a_bucket_and_where(ceph_cloud: Cloud, s3: Any, bucket: str) -> None:
    def logged(target: str) -> dict[str, Any]:
        return {
            "Bucket": bucket,
            "BucketLoggingStatus": {"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": ""}},
        }

    assert code(s3.put_bucket_logging, **logged("not-there")) == (404, "NoSuchKey")
    assert code(s3.put_bucket_logging, **logged(bucket)) == (400, "InvalidArgument")
    s3.create_bucket(Bucket="logs-of-ceph")
    s3.put_bucket_logging(**logged("logs-of-ceph"))
    told = s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"]
    assert told["TargetObjectKeyFormat"] == {"SimplePrefix": {}}
    everybody = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:PutBucketLogging",
        "Resource": f"arn:aws:s3:::{bucket}",
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [everybody]}))
    other = ceph_cloud.new_account().client("s3")
    assert code(other.put_bucket_logging, Bucket=bucket, BucketLoggingStatus={}) == (403, "AccessDenied")


def test_policies_may_name_actions_that_fit_no_resource_of_theirs(s3: Any, bucket: str) -> None:
    useless = {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [useless]}))
    assert httpx.put(f"{s3.meta.endpoint_url}/{bucket}/k", content=b"").status_code == 403


def test_bodies_may_come_without_their_length(s3: Any, bucket: str) -> None:
    link = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k"})
    answer = httpx.put(link, content=iter([b"first ", b"second"]))
    assert answer.status_code == 200, answer.text
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"first second"


def test_what_is_not_there_is_no_delete_marker(s3: Any, bucket: str) -> None:
    with pytest.raises(ClientError) as error:
        s3.head_object(Bucket=bucket, Key="k")
    assert error.value.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "false"


def test_objects_of_any_size_move_by_filters_of_several_conditions(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="in/k", Body=b"small", Tagging="a=b")
    s3.put_object(Bucket=bucket, Key="in/other", Body=b"small")
    rule = {
        "Status": "Enabled",
        "Filter": {"Prefix": "in/", "Tag": {"Key": "a", "Value": "b"}},
        "Transitions": [{"Days": 1, "StorageClass": "STANDARD_IA"}],
    }
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})

    def classes() -> dict[str, str]:
        return {item["Key"]: item["StorageClass"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]}

    wait_for(lambda: classes() == {"in/k": "STANDARD_IA", "in/other": "STANDARD"}, "the small object moved alone")
