"""Writes inventories: a data file for each hundred thousand versions, and a manifest that names them."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import logging
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import orjson

from controlplane.core import storage_clock as clock
from controlplane.core.arn import bucket_of
from controlplane.core.context import Context, Unit
from controlplane.core.errors import AwsError
from controlplane.services.s3 import buckets, events, listing, objects, versions
from controlplane.services.s3.buckets import Bucket
from controlplane.services.s3.encryption import CUSTOMER, S3
from controlplane.services.s3.inventory import INVENTORY
from controlplane.services.s3.queries import listings
from controlplane.work.reconciler import GONE, Again, Outcome, Run, reconciler

log = logging.getLogger("celaje.s3")

_BUCKET = "SELECT * FROM s3_buckets WHERE id = $1"
_PAGE = 1000
_ROWS_A_FILE = 100_000
_AT_LEAST = 0.2
_STATUS: dict[Any, str] = {S3: "SSE-S3", CUSTOMER: "SSE-C", "aws:kms": "SSE-KMS", "aws:kms:dsse": "DSSE-KMS"}


def _time(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}" if moment else ""


_FIELDS: Mapping[str, Any] = {
    "Size": lambda row: row["size"],
    "LastModifiedDate": lambda row: _time(row["modified_at"]),
    "StorageClass": lambda row: row["storage_class"] or objects.STANDARD,
    "ETag": lambda row: row["etag"],
    "IsMultipartUploaded": lambda row: str("-" in row["etag"]).lower(),
    "ReplicationStatus": lambda row: row["facts"].get("replication", ""),
    "EncryptionStatus": lambda row: _STATUS.get((row["facts"].get("sse") or {}).get("kind"), "NOT-SSE"),
    "BucketKeyStatus": lambda row: "ENABLED" if (row["facts"].get("sse") or {}).get("bucket_key") else "DISABLED",
    "ChecksumAlgorithm": lambda row: next(iter(row["facts"].get("sums") or {}), "").upper(),
}


@reconciler(INVENTORY)
async def take(run: Run, key: str) -> Outcome:
    """Take one inventory of one bucket, and wait for the next midnight; a weekly one is taken on Sundays."""
    bucket_id, _, id = key.partition(".")
    async with run.step() as db:
        row = await db.fetchrow(_BUCKET, int(bucket_id))
    configuration = ((row["settings"].get("inventory") or {}) if row is not None else {}).get(id)
    if configuration is None:
        return GONE
    assert run.runtime is not None
    day, now = run.runtime.cloud.storage_day, datetime.now(UTC)
    weekly = configuration["Schedule"]["Frequency"] == "Weekly"
    number = int(now.timestamp() // day)  # day 3 was a Sunday: 4 January 1970
    target = configuration["Destination"]["S3BucketDestination"]
    if configuration.get("IsEnabled") and target["Format"] == "CSV" and (not weekly or number % 7 == 3):
        bucket = buckets.of_row(row)
        try:
            await _Inventory(run, bucket, configuration, now).write()
        except AwsError as error:
            log.info("an inventory of %s cannot be written: %s", bucket.name, error.code)
    tomorrow = clock.midnight(now, day) + timedelta(seconds=day)
    return Again(max((tomorrow - datetime.now(UTC)).total_seconds(), 0) + _AT_LEAST)


class _Inventory:
    """One inventory in the making."""

    def __init__(self, run: Run, bucket: Bucket, configuration: Mapping[str, Any], now: datetime) -> None:
        self._run = run
        self._bucket = bucket
        self._all = configuration["IncludedObjectVersions"] == "All"
        self._prefix = ((configuration.get("Filter") or {}).get("Prefix") or "").encode()
        self._fields = [name for name in configuration.get("OptionalFields") or () if name in _FIELDS]
        self._target = configuration["Destination"]["S3BucketDestination"]
        prefix = (self._target.get("Prefix") or "").rstrip("/")
        self._folder = "/".join(filter(None, (prefix, bucket.name, configuration["Id"])))
        self._now = now
        self._files: list[dict[str, Any]] = []

    async def write(self) -> None:
        """Raises AwsError where the destination does not take it."""
        rows: list[list[Any]] = []
        start, end, key, past_place = self._prefix, listing.bump(self._prefix), None, -(2**63)
        while True:
            async with self._run.step() as db:
                if self._all:
                    found = await listings.versions(
                        db, self._bucket.id, start, end, _PAGE, past_current=key is not None, past_place=past_place
                    )
                else:
                    found = await listings.keys(db, self._bucket.id, start, end, _PAGE, b"", None)
            for item in found:
                latest = not self._all or item["latest"] or item["key"] != key
                key = item["key"]
                rows.append(self._line(item, latest=latest))
            if len(rows) >= _ROWS_A_FILE or (len(found) < _PAGE and rows):
                await self._data(rows)
                rows = []
            if len(found) < _PAGE:
                break
            last = found[-1]
            start = last["key"] if self._all else last["key"] + b"\x00"
            past_place = last["place"] if self._all and not last["latest"] else -(2**63)
        await self._manifest()

    def _line(self, row: Any, *, latest: bool) -> list[Any]:
        line: list[Any] = [self._bucket.name, quote(row["key"])]
        if self._all:
            id = versions.shown(row["version"]) if row["version"] else ""
            line += [id, str(latest).lower(), str(row["marker"]).lower()]
        if row["marker"]:
            return line + ["" if name != "LastModifiedDate" else _time(row["modified_at"]) for name in self._fields]
        return line + [_FIELDS[name](row) for name in self._fields]

    async def _data(self, rows: list[list[Any]]) -> None:
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
        body = gzip.compress(text.getvalue().encode())
        key = f"{self._folder}/data/{uuid.uuid4()}.csv.gz"
        await self._put(key, body)
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        self._files.append({"key": key, "size": len(body), "MD5checksum": digest})

    async def _manifest(self) -> None:
        schema = ["Bucket", "Key", *(["VersionId", "IsLatest", "IsDeleteMarker"] if self._all else []), *self._fields]
        body = orjson.dumps(
            {
                "sourceBucket": self._bucket.name,
                "destinationBucket": self._target["Bucket"],
                "version": "2016-11-30",
                "creationTimestamp": str(int(self._now.timestamp() * 1000)),
                "fileFormat": "CSV",
                "fileSchema": ", ".join(schema),
                "files": self._files,
            }
        )
        folder = f"{self._folder}/{self._now:%Y-%m-%dT%H-%MZ}"
        await self._put(f"{folder}/manifest.json", body)
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        await self._put(f"{folder}/manifest.checksum", digest.encode())

    async def _put(self, key: str, body: bytes) -> None:
        request = {"Bucket": bucket_of(self._target["Bucket"]), "Key": key, "Body": body}
        if self._target.get("AccountId"):
            request["ExpectedBucketOwner"] = self._target["AccountId"]
        async with self._run.step() as db:
            await self._acting(db).call("s3", "PutObject", request)

    def _acting(self, db: Unit) -> Context:
        bucket = self._bucket
        return self._run.acting(db, events.SERVICE, bucket.arn, bucket.region, bucket.account_id)
