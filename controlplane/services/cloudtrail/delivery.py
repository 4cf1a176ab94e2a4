"""Writing a trail's files to S3, as CloudTrail itself and only where the bucket's policy lets it."""

from __future__ import annotations

import gzip
import hashlib
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from controlplane.access.trail import reading
from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.services.cloudtrail import digests, selectors, trails
from controlplane.services.cloudtrail.errors import (
    InsufficientEncryptionPolicyException,
    InsufficientS3BucketPolicyException,
    S3BucketDoesNotExistException,
)

SERVICE = "cloudtrail.amazonaws.com"
DIGEST_EVERY = timedelta(hours=1)
CHUNKS = 50
"""Chunks in one delivery; what remains comes with the next."""


def acting(run: Any, db: Any, row: Any) -> Context:
    """CloudTrail itself, for the sake of a trail."""
    source = trails.arn_of(row["account_id"], row["region"], row["name"])
    context: Context = run.acting(db, SERVICE, source)
    return context


async def check(ctx: Context, row: Any) -> None:
    """Make the folder of a trail's files as CloudTrail itself, so that a trail that could deliver nothing is refused.

    Raises S3BucketDoesNotExistException, InsufficientS3BucketPolicyException, InsufficientEncryptionPolicyException.
    """
    bucket, key = row["settings"]["S3BucketName"], row["settings"].get("KmsKeyId", "")
    acting = ctx.as_service(SERVICE, trails.arn_of(row["account_id"], row["region"], row["name"]))
    try:
        await acting.call("s3", "GetBucketAcl", {"Bucket": bucket})
        await _put(acting, row, f"{_prefix(row)}AWSLogs/{row['account_id']}/CloudTrail/", b"", {})
    except AwsError as error:
        if error.code == "NoSuchBucket":
            raise S3BucketDoesNotExistException(f"S3 bucket {bucket} does not exist!") from error
        if error.code.startswith("KMS"):
            raise InsufficientEncryptionPolicyException(
                f"Insufficient permissions to access S3 bucket {bucket} or KMS key {key}."
            ) from error
        raise InsufficientS3BucketPolicyException(
            f"Incorrect S3 bucket policy is detected for bucket: {bucket}"
        ) from error


async def events(ctx: Context, row: Any) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """What is to be delivered by region, and the position after it."""
    region = None if row["settings"].get("IsMultiRegionTrail") else row["region"]
    chunks = await reading.chunks_after(ctx.db, row["account_id"], row["position"], region, CHUNKS)
    found: dict[str, list[dict[str, Any]]] = {}
    own = row["settings"].get("IncludeGlobalServiceEvents", True)
    for chunk in chunks:
        for call in reading.calls(chunk["events"], lambda template: selectors.selects(row["selectors"], template)):
            if own or call.template["eventSource"] not in ("iam.amazonaws.com", "sts.amazonaws.com"):
                found.setdefault(chunk["region"], []).append(call.event)
    return (chunks[-1]["id"] if chunks else row["position"]), found


async def put_logs(ctx: Context, row: Any, region: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    """Write one file; what the next digest says of it."""
    now = datetime.now(UTC)
    name = f"{row['account_id']}_CloudTrail_{region}_{now:%Y%m%dT%H%MZ}_{secrets.token_urlsafe(12)[:16]}.json.gz"
    key = f"{_prefix(row)}AWSLogs/{row['account_id']}/CloudTrail/{region}/{now:%Y/%m/%d}/{name}"
    content = orjson.dumps({"Records": records})
    await _put(ctx, row, key, content, {})
    return {
        "s3Bucket": row["settings"]["S3BucketName"],
        "s3Object": key,
        "hashValue": hashlib.sha256(content).hexdigest(),
        "hashAlgorithm": "SHA-256",
        "newestEventTime": max(record["eventTime"] for record in records),
        "oldestEventTime": min(record["eventTime"] for record in records),
    }


async def put_digest(ctx: Context, row: Any, start: datetime, end: datetime) -> dict[str, Any]:
    """Write the digest of the files since the last one; the chain from then on."""
    sealer = ctx.engine("sealing")
    fingerprint, private = await digests.signing_key(ctx.db, sealer, row["region"])
    account, region, name = row["account_id"], row["region"], row["name"]
    file = f"{account}_CloudTrail-Digest_{region}_{name}_{region}_{end:%Y%m%dT%H%M%SZ}.json.gz"
    key = f"{_prefix(row)}AWSLogs/{account}/CloudTrail-Digest/{region}/{end:%Y/%m/%d}/{file}"
    content = digests.compose(row, key, fingerprint, start, end)
    signed = digests.signature(private, row, key, end, content)
    await _put(ctx, row, key, content, {"signature": signed, "signature-algorithm": digests.ALGORITHM})
    last = {
        "bucket": row["settings"]["S3BucketName"],
        "object": key,
        "hash": hashlib.sha256(content).hexdigest(),
        "signature": signed,
    }
    return {"files": [], "last": last, "end": end.timestamp()}


async def notify(ctx: Context, row: Any, keys: list[str]) -> None:
    """Tell the trail's topic of files."""
    message = orjson.dumps({"s3Bucket": row["settings"]["S3BucketName"], "s3ObjectKey": keys}).decode()
    await ctx.call("sns", "Publish", {"TopicArn": trails.settings(row)["SnsTopicARN"], "Message": message})


async def _put(ctx: Context, row: Any, key: str, content: bytes, metadata: Mapping[str, str]) -> None:
    settings = row["settings"]
    request: dict[str, Any] = {
        "Bucket": settings["S3BucketName"],
        "Key": key,
        "Body": gzip.compress(content, 6, mtime=0) if content else b"",
        "ContentType": "application/json",
        "ContentEncoding": "gzip",
        "ACL": "bucket-owner-full-control",
        "Metadata": dict(metadata),
    }
    if settings.get("KmsKeyId"):
        request |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": settings["KmsKeyId"]}
    await ctx.call("s3", "PutObject", request)


def _prefix(row: Any) -> str:
    prefix = row["settings"].get("S3KeyPrefix")
    return f"{prefix}/" if prefix else ""
