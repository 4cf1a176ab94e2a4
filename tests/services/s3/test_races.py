"""Many do things to the same keys at once, through all gateway workers: each answer is whole, none is lost or torn."""

from __future__ import annotations

import hashlib
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from tests.cloud import Account

WRITERS = 8
PUTS = 25
KEYS = ("a", "b", "c")
PART = 5 * 1024 * 1024


def clients(account: Account) -> list[Any]:
    """One for each writer; they are not made in threads."""
    return [account.client("s3") for _ in range(WRITERS)]


def test_writers_of_the_same_keys(account: Account, bucket: str) -> None:
    written: set[str] = set()

    def write(number: int, s3: Any) -> list[str]:
        chance, torn = random.Random(number), []
        for _ in range(PUTS):
            body = chance.randbytes(chance.choice((10, 5000, 60_000)))
            written.add(hashlib.md5(body).hexdigest())
            s3.put_object(Bucket=bucket, Key=chance.choice(KEYS), Body=body)
            if chance.random() < 0.2:
                named = [{"Key": key} for key in chance.sample(KEYS, 2)]
                s3.delete_objects(Bucket=bucket, Delete={"Objects": named})
            try:
                got = s3.get_object(Bucket=bucket, Key=chance.choice(KEYS))
                if hashlib.md5(got["Body"].read()).hexdigest() != got["ETag"].strip('"'):
                    torn.append(got["ETag"])
            except ClientError as error:
                assert error.response["Error"]["Code"] == "NoSuchKey"
        return torn

    with ThreadPoolExecutor(WRITERS) as pool:
        assert [torn for found in pool.map(write, range(WRITERS), clients(account)) for torn in found] == []
    s3 = account.client("s3")
    assert {item["ETag"].strip('"') for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])} <= written


def test_only_one_of_many_makes_a_key(account: Account, bucket: str) -> None:
    def make(number: int, s3: Any) -> int:
        try:
            s3.put_object(Bucket=bucket, Key="k", Body=str(number).encode(), IfNoneMatch="*")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed"
            return 0
        return 1

    with ThreadPoolExecutor(WRITERS) as pool:
        assert sum(pool.map(make, range(WRITERS), clients(account))) == 1


def test_a_part_that_comes_too_late_changes_nothing(account: Account, s3: Any, bucket: str) -> None:
    other_client = account.client("s3")
    for _ in range(5):
        named = {"Bucket": bucket, "Key": "k"}
        upload, first, other = s3.create_multipart_upload(**named)["UploadId"], os.urandom(PART), os.urandom(40_000)
        tag = s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=first)["ETag"]
        last = s3.upload_part(**named, UploadId=upload, PartNumber=2, Body=b"end")["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": tag}, {"PartNumber": 2, "ETag": last}]}

        def late(id: str = upload, body: bytes = other) -> None:
            other_client.upload_part(Bucket=bucket, Key="k", UploadId=id, PartNumber=2, Body=body)

        with ThreadPoolExecutor(2) as pool:
            racing = pool.submit(late)
            try:
                s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload=parts)
            except ClientError as error:
                assert error.response["Error"]["Code"] == "InvalidPart"
                s3.abort_multipart_upload(**named, UploadId=upload)
                continue
            finally:
                if (failed := racing.exception()) is not None:
                    assert isinstance(failed, ClientError)
                    assert failed.response["Error"]["Code"] == "NoSuchUpload"
        assert s3.get_object(**named)["Body"].read() == first + b"end"


def test_a_reader_reaches_the_end_of_what_is_overwritten(s3: Any, bucket: str) -> None:
    named = {"Bucket": bucket, "Key": "k"}
    upload, bodies = s3.create_multipart_upload(**named)["UploadId"], [os.urandom(PART) for _ in range(4)]
    told = [
        {"PartNumber": n, "ETag": s3.upload_part(**named, UploadId=upload, PartNumber=n, Body=body)["ETag"]}
        for n, body in enumerate(bodies, 1)
    ]
    s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload={"Parts": told})
    stream = s3.get_object(**named)["Body"]
    begun = stream.read(100_000)
    s3.put_object(**named, Body=b"new")
    assert begun + stream.read() == b"".join(bodies)
    assert s3.get_object(**named)["Body"].read() == b"new"


def test_an_upload_is_completed_or_aborted_and_not_both(account: Account, bucket: str) -> None:
    s3, *others = clients(account)
    for number in range(20):
        named = {"Bucket": bucket, "Key": str(number)}
        upload = {**named, "UploadId": s3.create_multipart_upload(**named)["UploadId"]}
        tag = s3.upload_part(**upload, PartNumber=1, Body=os.urandom(100_000))["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
        with ThreadPoolExecutor(4) as pool:
            ends = [
                pool.submit(outcome, other.complete_multipart_upload, **upload, MultipartUpload=parts)
                for other in others[2:4]
            ]
            aborts = [pool.submit(outcome, other.abort_multipart_upload, **upload) for other in others[:2]]
        completed = "" in {end.result() for end in ends}
        assert completed != ("" in {abort.result() for abort in aborts})
        assert outcome(s3.get_object, **named) == ("" if completed else "NoSuchKey")


def outcome(function: Any, **arguments: Any) -> str:
    """An error's code; nothing where there was none."""
    try:
        function(**arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def test_what_is_replaced_again_and_again_is_always_there(account: Account, bucket: str) -> None:
    s3, *others = clients(account)
    named: dict[str, Any] = {"Bucket": bucket, "Key": "k"}

    def put() -> None:
        upload = s3.create_multipart_upload(**named)["UploadId"]
        tag = s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=os.urandom(100_000))["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
        s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload=parts)
        s3.put_object(**named, Body=os.urandom(100_000))

    put()
    done = threading.Event()

    def ask(function: Any, arguments: dict[str, Any]) -> set[str]:
        found = set()
        while not done.is_set():
            found.add(outcome(function, **arguments))
        return found

    copy, own = {"Bucket": bucket, "CopySource": f"{bucket}/k"}, {"Key": "k", "MetadataDirective": "REPLACE"}
    with ThreadPoolExecutor(6) as pool:
        asked = [
            pool.submit(ask, others[0].get_object, {**named, "PartNumber": 1}),
            pool.submit(ask, others[1].head_object, {**named, "PartNumber": 1}),
            pool.submit(ask, others[2].get_object, {**named, "Range": "bytes=5-10"}),
            pool.submit(ask, others[3].copy_object, {**copy, "Key": "copy"}),
            pool.submit(ask, others[4].copy_object, {**copy, **own}),
        ]
        for _ in range(60):
            put()
        done.set()
    assert [found.result() for found in asked] == [{""}] * 5
