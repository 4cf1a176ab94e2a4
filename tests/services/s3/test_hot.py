"""Objects that are read again and again come from memory: always the right bytes, for nobody else."""

from __future__ import annotations

import os
from typing import Any

import pytest
from botocore.exceptions import ClientError

from controlplane.services.s3.hot import Hot
from tests.services.s3.test_objects import code_of


def _read(s3: Any, **given: Any) -> bytes:
    return bytes(s3.get_object(**given)["Body"].read())


@pytest.mark.parametrize("size", [0, 1, 1000, 300_000, 1024 * 1024, 1024 * 1024 + 1])
def test_an_object_that_is_read_often_is_what_was_written(s3: Any, bucket: str, size: int) -> None:
    for body in (os.urandom(size), os.urandom(size)):
        s3.put_object(Bucket=bucket, Key="often", Body=body)
        for _ in range(6):  # two workers, and each keeps what it is asked for twice
            assert _read(s3, Bucket=bucket, Key="often") == body
            if size > 2:
                assert _read(s3, Bucket=bucket, Key="often", Range=f"bytes=1-{size - 2}") == body[1:-1]
    s3.delete_object(Bucket=bucket, Key="often")
    with pytest.raises(ClientError) as missing:
        s3.get_object(Bucket=bucket, Key="often")
    assert code_of(missing) == "NoSuchKey"


def test_what_customers_seal_is_opened_with_their_key_alone(s3: Any, bucket: str) -> None:
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": os.urandom(32)}
    body = os.urandom(5000)
    s3.put_object(Bucket=bucket, Key="theirs", Body=body, **key)
    for _ in range(6):
        assert _read(s3, Bucket=bucket, Key="theirs", **key) == body
    for other in ({}, {**key, "SSECustomerKey": os.urandom(32)}):
        with pytest.raises(ClientError):
            s3.get_object(Bucket=bucket, Key="theirs", **other)


def test_the_longest_unused_makes_room() -> None:
    hot = Hot(most=1000)
    assert not hot.wants("a")
    assert hot.wants("a")
    for name in ("a", "b", "c"):
        hot.keep(name, name.encode() * 400)
        assert hot.get("a") is not None or name == "c"
    assert hot.get("b") is None  # "a" was asked for after it
    assert (hot.get("a"), hot.get("c")) == (b"a" * 400, b"c" * 400)
