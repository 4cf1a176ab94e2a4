"""Manifests: the objects that a job is about."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from controlplane.core.arn import object_of
from controlplane.core.context import Context
from controlplane.core.errors import AwsError

LARGEST = 8 * 1024 * 1024
"""It is read again for every thousand tasks."""
_LONGEST_LINE = 8192
FORMAT = "S3BatchOperations_CSV_20180820"


class BadManifest(Exception):
    """What the job's failure says."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


async def read(ctx: Context, manifest: dict[str, Any], first: int, size: int) -> tuple[int, list[dict[str, str]]]:
    """How many objects a manifest names, and some of them. Raises BadManifest."""
    location = manifest["Location"]
    bucket, key = object_of(location["ObjectArn"])
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
    return await asyncio.to_thread(_objects, data, manifest["Spec"]["Fields"], range(first, first + size))


def _objects(data: bytes, fields: Sequence[str], wanted: range) -> tuple[int, list[dict[str, str]]]:
    """Every line is looked at, few are kept."""
    total, found = 0, []
    try:
        for line in data.decode().splitlines():
            if not line:
                continue
            if len(line) > _LONGEST_LINE or "\x00" in line:
                raise BadManifest("InvalidManifest", f"Line {total + 1} of the manifest is too long, or no text.")
            named = _named(next(csv.reader([line], strict=True)), fields, total + 1)
            if total in wanted:
                found.append({**named, "Key": unquote(named["Key"])})
            total += 1
    except (UnicodeError, csv.Error) as error:
        raise BadManifest("InvalidManifest", "The manifest is not a CSV file in UTF-8.") from error
    if not total:
        raise BadManifest("InvalidManifest", "The manifest names no objects.")
    return total, found


def _named(row: Sequence[str], fields: Sequence[str], number: int) -> dict[str, str]:
    if len(row) != len(fields):
        text = f"Line {number} of the manifest has {len(row)} columns; its fields are {len(fields)}."
        raise BadManifest("InvalidManifest", text)
    named = {name: value for name, value in zip(fields, row, strict=True) if name != "Ignore" and value}
    if "Bucket" not in named or "Key" not in named:
        raise BadManifest("InvalidManifest", f"Line {number} of the manifest names no bucket or no key.")
    return named
