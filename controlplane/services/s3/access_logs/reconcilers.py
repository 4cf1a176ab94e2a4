"""Delivers what was gathered, as `logging.s3.amazonaws.com`: the target's policy must let it in."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from controlplane.core.errors import AwsError
from controlplane.services.s3 import buckets
from controlplane.services.s3.access_logs.lines import DELIVER
from controlplane.services.s3.buckets import Bucket
from controlplane.work.reconciler import GONE, Again, Outcome, Run, reconciler

log = logging.getLogger("celaje.s3")

_SERVICE = "logging.s3.amazonaws.com"
_BUCKET = "SELECT * FROM s3_buckets WHERE id = $1"
_PORTION = 20_000
_TAKE = f"""
DELETE FROM s3_access_lines WHERE id = ANY (ARRAY(
  SELECT id FROM s3_access_lines WHERE bucket_id = $1 ORDER BY id LIMIT {_PORTION}
)) RETURNING id, line
"""


@reconciler(DELIVER)
async def deliver(run: Run, key: str) -> Outcome:
    """Write one file of lines. Lines and file are one transaction: no line comes twice or is lost on the way."""
    async with run.step() as db:
        row = await db.fetchrow(_BUCKET, int(key))
        taken = sorted(await db.fetch(_TAKE, int(key)), key=lambda line: line["id"])
        wanted = row["settings"].get("logging") if row is not None else None
        if taken and wanted:
            bucket = buckets.of_row(row)
            body = "".join(f"{line['line']}\n" for line in taken).encode()
            acting = run.acting(db, _SERVICE, bucket.arn, bucket.region, bucket.account_id)
            request = {
                "Bucket": wanted["TargetBucket"], "Key": _key(bucket, wanted), "Body": body,
                "ExpectedBucketOwner": bucket.account_id,
            }  # fmt: skip
            try:
                await acting.call("s3", "PutObject", request)
            except AwsError as error:
                log.info("the access log of %s cannot be delivered: %s", bucket.name, error.code)
    return Again(0) if len(taken) == _PORTION else GONE


def _key(bucket: Bucket, wanted: Mapping[str, Any]) -> str:
    now = datetime.now(UTC)
    name = f"{now:%Y-%m-%d-%H-%M-%S}-{secrets.token_hex(8).upper()}"
    prefix = wanted.get("TargetPrefix") or ""
    if (wanted.get("TargetObjectKeyFormat") or {}).get("PartitionedPrefix") is not None:
        return f"{prefix}{bucket.account_id}/{bucket.region}/{bucket.name}/{now:%Y/%m/%d}/{name}"
    return prefix + name
