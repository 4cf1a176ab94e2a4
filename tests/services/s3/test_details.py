"""Details that clients rely on, each as AWS was seen to answer."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.cloud import Account, Cloud

PART = 5 * 1024 * 1024


def refused(function: Any, **arguments: Any) -> tuple[int, str]:
    """Status and code of an error."""
    with pytest.raises(ClientError) as error:
        function(**arguments)
    answer = error.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def allow(principal: str, action: str, resource: str, **conditions: Any) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Condition": conditions}]})


def test_parts_under_a_customers_key(s3: Any, bucket: str) -> None:
    key, other = os.urandom(32), os.urandom(32)
    named = {"Bucket": bucket, "Key": "k"}
    mine = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}
    upload = s3.create_multipart_upload(**named, **mine)["UploadId"]
    for wrong in ({}, {**mine, "SSECustomerKey": other}):
        answer = refused(s3.upload_part, **named, UploadId=upload, PartNumber=1, Body=b"x", **wrong)
        assert answer == (400, "InvalidRequest")
    tag = s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=b"x", **mine)["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
    s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload=parts)
    assert s3.get_object(**named, **mine)["Body"].read() == b"x"
    assert refused(s3.get_object, **named, **{**mine, "SSECustomerKey": other}) == (403, "AccessDenied")


def test_parts_with_checksums_of_their_own_still_have_one_of_the_whole(s3: Any, bucket: str) -> None:
    named = {"Bucket": bucket, "Key": "k"}
    upload = s3.create_multipart_upload(**named)["UploadId"]
    told: list[Any] = []
    for number, body in ((1, bytes(PART)), (2, b"end")):
        part = s3.upload_part(**named, UploadId=upload, PartNumber=number, Body=body, ChecksumAlgorithm="CRC32")
        assert "ChecksumCRC64NVME" not in part
        told.append({"PartNumber": number, "ETag": part["ETag"]})
    end = {"UploadId": upload, "MultipartUpload": {"Parts": told}}
    # A completion names no checksum of parts, and no type, where none was chosen at the beginning.
    named_sums = {"Parts": [{**item, "ChecksumCRC32": part["ChecksumCRC32"]} for item in told]}
    assert refused(s3.complete_multipart_upload, **named, **{**end, "MultipartUpload": named_sums})[1] == "InvalidPart"
    typed = refused(s3.complete_multipart_upload, **named, **end, ChecksumType="FULL_OBJECT")
    assert typed == (400, "InvalidRequest")
    done = s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload={"Parts": told})
    s3.put_object(Bucket=bucket, Key="whole", Body=bytes(PART) + b"end", ChecksumAlgorithm="CRC64NVME")
    whole = s3.head_object(Bucket=bucket, Key="whole", ChecksumMode="ENABLED")
    assert (done["ChecksumCRC64NVME"], done["ChecksumType"]) == (whole["ChecksumCRC64NVME"], "FULL_OBJECT")


def test_a_completion_names_the_checksums_that_were_chosen(s3: Any, bucket: str) -> None:
    named = {"Bucket": bucket, "Key": "k"}

    def begin(algorithm: str, kind: str) -> tuple[Any, Any]:
        upload = s3.create_multipart_upload(**named, ChecksumAlgorithm=algorithm, ChecksumType=kind)["UploadId"]
        part = s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=b"x", ChecksumAlgorithm=algorithm)
        return upload, {"PartNumber": 1, "ETag": part["ETag"], f"Checksum{algorithm}": part[f"Checksum{algorithm}"]}

    def end(upload: str, part: Any, **more: Any) -> dict[str, Any]:
        return {**named, "UploadId": upload, "MultipartUpload": {"Parts": [part]}, **more}

    finish = s3.complete_multipart_upload
    upload, part = begin("CRC32", "COMPOSITE")
    assert refused(finish, **end(upload, {"PartNumber": 1, "ETag": part["ETag"]})) == (400, "InvalidRequest")
    assert refused(finish, **end(upload, {**part, "ChecksumCRC32": "AAAAAA=="})) == (400, "InvalidPart")
    sha = {"PartNumber": 1, "ETag": part["ETag"], "ChecksumSHA256": base64.b64encode(bytes(32)).decode()}
    assert refused(finish, **end(upload, sha)) == (400, "BadDigest")
    assert finish(**end(upload, part))["ChecksumCRC32"].endswith("-1")
    attributes = s3.get_object_attributes(**named, ObjectAttributes=["Checksum"])["Checksum"]
    assert "-" not in attributes["ChecksumCRC32"]
    upload, part = begin("CRC32C", "FULL_OBJECT")
    whole = {"ChecksumCRC32C": part["ChecksumCRC32C"]}
    assert refused(finish, **end(upload, part, **whole)) == (400, "BadDigest")  # without a type: of parts
    assert refused(finish, **end(upload, part, ChecksumType="FULL_OBJECT", ChecksumCRC32="AAAAAA=="))[1] == "BadDigest"
    assert finish(**end(upload, part, ChecksumType="FULL_OBJECT", **whole))["ChecksumType"] == "FULL_OBJECT"
    got = s3.get_object(**named, PartNumber=1, ChecksumMode="enabled")
    assert (got["ChecksumCRC32C"], got["PartsCount"]) == (part["ChecksumCRC32C"], 1)


def test_who_may_write_into_a_bucket_says_who_may_read_it(account: Account, cloud: Cloud, s3: Any, bucket: str) -> None:
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    other = cloud.new_account().client("s3")
    s3.put_object(Bucket=bucket, Key="mine", Body=b"")
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    other.put_object(Bucket=bucket, Key="theirs", Body=b"", ACL="public-read")
    assert other.get_object_acl(Bucket=bucket, Key="theirs")["Grants"][1]["Permission"] == "READ"
    assert refused(other.put_object_acl, Bucket=bucket, Key="mine", ACL="public-read") == (403, "AccessDenied")


def test_headers_come_back(s3: Any, bucket: str) -> None:
    expires = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Expires=expires, ContentEncoding="deflate, gzip")
    got = s3.head_object(Bucket=bucket, Key="k")
    assert (got["Expires"], got["ContentEncoding"]) == (expires, "deflate, gzip")
    later = datetime.now(UTC) + timedelta(days=1)
    assert s3.head_object(Bucket=bucket, Key="k", IfModifiedSince=later)["ETag"] == got["ETag"]
    word = "=?UTF-8?B?" + base64.b64encode("é".encode()).decode() + "?="
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Metadata={"plain": "=?UTF-8?B?YWJj?=", "word": word})
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {"plain": "abc", "word": word}
    s3.meta.events.register_first(
        "before-sign.s3.GetObject",
        lambda request, **_: request.headers.add_header("x-amz-server-side-encryption", "AES256"),
    )
    assert refused(s3.get_object, Bucket=bucket, Key="k") == (400, "InvalidArgument")


def test_that_a_key_is_not_there_is_told_to_who_may_list_it(cloud: Cloud, s3: Any, bucket: str) -> None:
    other = cloud.new_account()
    s3.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicPolicy": False, "RestrictPublicBuckets": False}
    )
    listing = allow(other.id, "s3:ListBucket", f"arn:aws:s3:::{bucket}", StringLike={"s3:prefix": "open/*"})
    answer = s3.put_bucket_policy(Bucket=bucket, Policy=listing)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    theirs = other.client("s3")
    assert refused(theirs.get_object, Bucket=bucket, Key="open/k") == (404, "NoSuchKey")
    assert refused(theirs.get_object, Bucket=bucket, Key="k") == (403, "AccessDenied")
    s3.put_object(Bucket=bucket, Key="open/k", Body=b"")
    assert refused(theirs.get_object, Bucket=bucket, Key="open/k") == (403, "AccessDenied")


def test_policies_see_the_tags_that_a_put_brings(cloud: Cloud, s3: Any, bucket: str) -> None:
    other = cloud.new_account()
    tagged = allow(other.id, "s3:PutObject*", "arn:aws:s3:::*", StringEquals={"s3:RequestObjectTag/team": "blue"})
    s3.put_bucket_policy(Bucket=bucket, Policy=tagged)
    theirs = other.client("s3")
    theirs.put_object(Bucket=bucket, Key="k", Body=b"", Tagging="team=blue&flag")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [
        {"Key": "flag", "Value": ""},
        {"Key": "team", "Value": "blue"},
    ]
    for tags in ({}, {"Tagging": "team=red"}):
        assert refused(theirs.put_object, Bucket=bucket, Key="k", Body=b"", **tags) == (403, "AccessDenied")


def test_versions_are_named_only_where_they_are_kept(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert "VersionId" not in s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    copied = s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"})
    assert copied["VersionId"] == "null"
    assert "CopySourceVersionId" not in copied


def test_older_signatures_of_a_bucket_count_with_and_without_its_slash(account: Account) -> None:
    older = boto3.client(
        "s3",
        endpoint_url=account.endpoint,
        aws_access_key_id=account.access_key_id,
        aws_secret_access_key=account.secret_access_key,
        config=Config(signature_version="s3", retries={"max_attempts": 0}),
    )
    older.create_bucket(Bucket=f"older-{os.urandom(6).hex()}")
    older.meta.events.register("before-call.s3.*", lambda params, **_: params["headers"].update({"x-amz-date": ""}))
    assert refused(older.list_buckets) == (403, "AccessDenied")


def test_a_bucket_that_is_created_again_has_a_new_list(s3: Any, bucket: str) -> None:
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": False})
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    assert len(s3.get_bucket_acl(Bucket=bucket)["Grants"]) == 2
    s3.create_bucket(Bucket=bucket)
    assert len(s3.get_bucket_acl(Bucket=bucket)["Grants"]) == 1
    owner = s3.get_bucket_acl(Bucket=bucket)["Owner"]
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy={"Owner": owner, "Grants": []})
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"] == []
    s3.list_objects_v2(Bucket=bucket)


def test_who_must_own_a_bucket_is_named_by_an_account(s3: Any, bucket: str) -> None:
    code = "InvalidBucketOwnerAWSAccountID"
    assert refused(s3.get_bucket_policy, Bucket=bucket, ExpectedBucketOwner="abc") == (400, code)
    assert refused(s3.get_bucket_policy, Bucket=bucket, ExpectedBucketOwner="0" * 12) == (403, "AccessDenied")


def test_a_wrong_signature_is_explained(account: Account, s3: Any, bucket: str) -> None:
    wrong = replace(account, secret_access_key="wrong").client("s3")
    with pytest.raises(ClientError) as mismatch:
        wrong.get_object(Bucket=bucket, Key="k")
    told = mismatch.value.response["Error"]
    assert (told["Code"], told["AWSAccessKeyId"]) == ("SignatureDoesNotMatch", account.access_key_id)
    assert told["StringToSign"].startswith("AWS4-HMAC-SHA256\n")
    assert bytes.fromhex(told["CanonicalRequestBytes"]).decode() == told["CanonicalRequest"]
    assert "wrong" not in told["CanonicalRequest"]
