"""Buckets and objects, through boto3."""

from __future__ import annotations

import hashlib
import os
import socket
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.cloud import Account, Cloud

KEYS = (
    "a//b",
    "..",
    "a/../b",
    "%41",
    "a+b",
    "x\x01y",
    "é/ü",
    "/",
    "//",
    "a/",
    "?x",
    "#",
    " sp ",
    "a" * 1024,
    "ü" * 512,
)


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


@pytest.mark.parametrize("size", [0, 1, 32 * 1024, 32 * 1024 + 1, 1024 * 1024, 5_000_001])
def test_what_was_put_is_got(s3: Any, bucket: str, size: int) -> None:
    body = os.urandom(size)
    etag = s3.put_object(Bucket=bucket, Key="k", Body=body, Metadata={"a": "b"}, ContentType="text/x")["ETag"]
    assert etag == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == body
    assert (got["Metadata"], got["ContentType"], got["ETag"], got["ContentLength"]) == (
        {"a": "b"},
        "text/x",
        etag,
        size,
    )
    for text, expected in (("bytes=1-70000", body[1:70001]), ("bytes=-5", body[-5:]), ("bytes=65530-", body[65530:])):
        if size > 65530:
            part = s3.get_object(Bucket=bucket, Key="k", Range=text)
            assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
            assert part["Body"].read() == expected
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={size}-")
    assert code_of(refused) == "InvalidRange"


def test_keys_are_what_they_are_and_listed_in_the_order_of_their_bytes(s3: Any, bucket: str) -> None:
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 4})
    assert [item["Key"] for page in pages for item in page["Contents"]] == sorted(KEYS, key=str.encode)
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="a" * 1025, Body=b"")
    assert code_of(refused) == "KeyTooLongError"


def test_lists_skip_what_a_prefix_hides(s3: Any, bucket: str) -> None:
    keys = [f"{a}/{b}" for a in "abc" for b in range(3)] + ["b", "d", "a0"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    expected = sorted({key.split("/")[0] + "/" if "/" in key else key for key in keys})
    for size in (1, 2, 3, 1000):
        found: list[str] = []
        for page in s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": size}
        ):
            names = [item["Key"] for item in page.get("Contents", [])]
            names += [item["Prefix"] for item in page.get("CommonPrefixes", [])]
            assert len(names) == page["KeyCount"] <= size
            found += sorted(names)
        assert found == expected
    old = s3.list_objects(Bucket=bucket, Delimiter="/", Prefix="b/", Marker="b/0")
    assert [item["Key"] for item in old["Contents"]] == ["b/1", "b/2"]


def test_versions_come_back_when_those_before_them_go(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"null")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"first")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] is True
    with pytest.raises(ClientError) as gone:
        s3.get_object(Bucket=bucket, Key="k")
    assert gone.value.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=first)["Body"].read() == b"first"
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"null"
    listed = s3.list_object_versions(Bucket=bucket)
    assert [v["VersionId"] for v in listed["Versions"]] == [first, "null"]
    assert [(m["VersionId"], m["IsLatest"]) for m in listed["DeleteMarkers"]] == [(marker["VersionId"], True)]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"first"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=first)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"null"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"again")
    assert [v["VersionId"] for v in s3.list_object_versions(Bucket=bucket)["Versions"]] == ["null"]


def test_conditions(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": '"other"'}):
        with pytest.raises(ClientError) as refused:
            s3.put_object(Bucket=bucket, Key="k", Body=b"2", **condition)
        assert code_of(refused) == "PreconditionFailed"
    s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=etag)
    with pytest.raises(ClientError) as unchanged:
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=s3.head_object(Bucket=bucket, Key="k")["ETag"])
    assert unchanged.value.response["ResponseMetadata"]["HTTPStatusCode"] == 304
    with pytest.raises(ClientError) as missing:
        s3.put_object(Bucket=bucket, Key="none", Body=b"2", IfMatch=etag)
    assert code_of(missing) == "NoSuchKey"


def test_parts_become_one_object(s3: Any, bucket: str) -> None:
    parts = [os.urandom(5 * 1024 * 1024), os.urandom(5 * 1024 * 1024 + 7), os.urandom(11)]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="big")["UploadId"]
    told = []
    for number, body in zip((1, 5, 9), parts, strict=True):
        etag = s3.upload_part(Bucket=bucket, Key="big", UploadId=upload, PartNumber=number, Body=body)["ETag"]
        told.append({"PartNumber": number, "ETag": etag})
    s3.upload_part(Bucket=bucket, Key="big", UploadId=upload, PartNumber=7, Body=b"left out")
    with pytest.raises(ClientError) as refused:
        s3.complete_multipart_upload(
            Bucket=bucket, Key="big", UploadId=upload, MultipartUpload={"Parts": list(reversed(told))}
        )
    assert code_of(refused) == "InvalidPartOrder"
    done = s3.complete_multipart_upload(Bucket=bucket, Key="big", UploadId=upload, MultipartUpload={"Parts": told})
    digests = b"".join(hashlib.md5(body).digest() for body in parts)
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"'
    whole = b"".join(parts)
    assert s3.get_object(Bucket=bucket, Key="big")["Body"].read() == whole
    middle = s3.get_object(Bucket=bucket, Key="big", Range="bytes=5242870-10485770")["Body"].read()
    assert middle == whole[5242870:10485771]
    second = s3.get_object(Bucket=bucket, Key="big", PartNumber=2)
    assert (second["PartsCount"], second["Body"].read()) == (3, parts[1])
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "big"})
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == whole


def test_checksums_are_checked_and_kept(s3: Any, bucket: str) -> None:
    kept = s3.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm="SHA256")
    assert kept["ChecksumSHA256"] == "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
    got = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (got["ChecksumSHA256"], got["ChecksumType"]) == (kept["ChecksumSHA256"], "FULL_OBJECT")
    for wrong in ({"ChecksumSHA256": kept["ChecksumSHA256"]}, {"ContentMD5": "XUFAKrxLKna5cZ2REBfFkg=="}):
        with pytest.raises(ClientError) as refused:
            s3.put_object(Bucket=bucket, Key="k", Body=b"other", **wrong)
        assert code_of(refused) == "BadDigest"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"


def test_many_are_deleted_at_once_and_a_bucket_when_it_is_empty(s3: Any, bucket: str) -> None:
    keys = [f"k{number}" for number in range(30)]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    with pytest.raises(ClientError) as refused:
        s3.delete_bucket(Bucket=bucket)
    assert code_of(refused) == "BucketNotEmpty"
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in [*keys, "none"]]})
    assert len(done["Deleted"]) == 31
    s3.delete_bucket(Bucket=bucket)
    with pytest.raises(ClientError) as gone:
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert code_of(gone) == "NoSuchBucket"


def test_names_belong_to_one_account(cloud: Cloud, s3: Any, bucket: str) -> None:
    other = cloud.new_account().client("s3")
    with pytest.raises(ClientError) as taken:
        other.create_bucket(Bucket=bucket)
    assert code_of(taken) == "BucketAlreadyExists"
    with pytest.raises(ClientError) as closed:
        other.list_objects_v2(Bucket=bucket)
    assert code_of(closed) == "AccessDenied"
    s3.create_bucket(Bucket=bucket)
    with pytest.raises(ClientError) as bad:
        s3.create_bucket(Bucket="No_Name")
    assert code_of(bad) == "InvalidBucketName"


def test_a_refused_or_broken_upload_leaves_no_file(cloud: Cloud, account: Account, s3: Any, bucket: str) -> None:
    def files() -> set[Path]:
        return {path for path in (cloud.home / "blobs").rglob("*") if path.is_file()}

    url = urlsplit(s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "broken"}, ExpiresIn=60))
    before = files()
    with socket.create_connection((url.hostname or "", url.port or 0)) as connection:
        head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: 9000000\r\n\r\n"
        connection.sendall(head.encode() + os.urandom(3_000_000))
    with pytest.raises(ClientError):
        s3.put_object(Bucket=bucket, Key="k", Body=os.urandom(3_000_000), ContentMD5="XUFAKrxLKna5cZ2REBfFkg==")
    deadline = time.monotonic() + 20
    while files() - before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not {path for path in files() - before if path.name.startswith(".incoming")}
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_overwritten_and_deleted_blobs_are_freed(cloud: Cloud, s3: Any, bucket: str) -> None:
    def held() -> int:
        # The size is this test's own, so that others beside it do not count.
        sizes = [path.stat().st_size for path in (cloud.home / "blobs").rglob("*") if path.is_file()]
        return sum(2_100_000 < size < 2_101_000 for size in sizes)

    body = os.urandom(2_100_000)
    before = held()
    for _ in range(3):
        s3.put_object(Bucket=bucket, Key=f"k-{uuid.uuid4()}", Body=body)
    assert held() >= before + 3
    for item in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        s3.delete_object(Bucket=bucket, Key=item["Key"])
    deadline = time.monotonic() + 20
    while held() > before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert held() <= before
