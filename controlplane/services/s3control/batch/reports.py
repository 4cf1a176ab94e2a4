"""Reports: how each task of a job ended, as a CSV file, and a manifest that names it."""

from __future__ import annotations

import csv
import hashlib
import io
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import orjson

from controlplane.core.arn import bucket_of
from controlplane.core.context import Context

FORMAT = "Report_CSV_20180820"
FAILED_ONLY = "FailedTasksOnly"
_SCHEMA = "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"


def line(named: dict[str, str], status: str, code: str, http: int, text: str) -> list[str]:
    """A task's line."""
    return [named["Bucket"], quote(named["Key"]), named.get("VersionId", ""), status, code, str(http), text]


async def write(ctx: Context, row: Any, lines: Sequence[Sequence[str]]) -> None:
    """Put a job's report where it is wanted. Raises AwsError."""
    report = row["report"]
    bucket = bucket_of(report["Bucket"])
    folder = "/".join(filter(None, ((report.get("Prefix") or "").strip("/"), f"job-{row['id']}")))
    files = []
    for status in ("succeeded", "failed"):
        chosen = [item for item in lines if item[3] == status]
        if not chosen:
            continue
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(chosen)
        body, key = text.getvalue().encode(), f"{folder}/results/{uuid.uuid4().hex}.csv"
        await ctx.call("s3", "PutObject", {"Bucket": bucket, "Key": key, "Body": body, "ContentType": "text/csv"})
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        files.append({"TaskExecutionStatus": status, "Bucket": bucket, "MD5Checksum": digest, "Key": key})
    manifest = {
        "Format": FORMAT,
        "ReportCreationDate": f"{row['created_at']:%Y-%m-%dT%H:%M:%SZ}",
        "Results": files,
        "ReportSchema": _SCHEMA,
    }
    body = orjson.dumps(manifest)
    request = {"Bucket": bucket, "Key": f"{folder}/manifest.json", "Body": body, "ContentType": "application/json"}
    await ctx.call("s3", "PutObject", request)
