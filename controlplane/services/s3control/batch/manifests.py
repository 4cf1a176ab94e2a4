"""Manifests: the objects that a job is about."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from controlplane.core.context import Context
from controlplane.core.errors import AwsError

LARGEST = 256 * 1024 * 1024
FORMAT = "S3BatchOperations_CSV_20180820"


class BadManifest(Exception):
    """What the job's failure says."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def place_of(arn: str) -> tuple[str, str]:
    """Bucket and key of an object's ARN. Raises ValueError."""
    bucket, slash, key = arn.removeprefix("arn:aws:s3:::").partition("/")
    if not arn.startswith("arn:aws:s3:::") or not bucket or not slash or not key:
        raise ValueError(arn)
    return bucket, key


async def read(ctx: Context, manifest: dict[str, Any]) -> list[dict[str, str]]:
    """The objects of a manifest, by name. Raises BadManifest."""
    location = manifest["Location"]
    bucket, key = place_of(location["ObjectArn"])
    request = {"Bucket": bucket, "Key": key, "IfMatch": location["ETag"]}
    if version := location.get("ObjectVersionId"):
        request["VersionId"] = version
    try:
        told = await ctx.call("s3", "GetObject", request)
    except AwsError as error:
        raise BadManifest("ManifestNotFound", f"Manifest is not found or cannot be read: {error.code}") from error
    if told["ContentLength"] > LARGEST:
        raise BadManifest("ManifestTooLarge", f"The manifest is larger than {LARGEST} bytes.")
    body = told["Body"]
    data = body if isinstance(body, bytes) else b"".join([block async for block in body])
    return _objects(data, manifest["Spec"].get("Fields") or ["Bucket", "Key"])


def _objects(data: bytes, fields: Sequence[str]) -> list[dict[str, str]]:
    try:
        rows = [row for row in csv.reader(io.StringIO(data.decode(), newline="")) if row]
    except (UnicodeError, csv.Error) as error:
        raise BadManifest("InvalidManifest", "The manifest is not a CSV file in UTF-8.") from error
    found = []
    for number, row in enumerate(rows, 1):
        if len(row) != len(fields):
            text = f"Line {number} of the manifest has {len(row)} columns; its fields are {len(fields)}."
            raise BadManifest("InvalidManifest", text)
        named = {name: value for name, value in zip(fields, row, strict=True) if name != "Ignore" and value}
        if "Bucket" not in named or "Key" not in named:
            raise BadManifest("InvalidManifest", f"Line {number} of the manifest names no bucket or no key.")
        found.append({**named, "Key": unquote(named["Key"])})
    if not found:
        raise BadManifest("InvalidManifest", "The manifest names no objects.")
    return found
