"""Lines of server access logs, gathered behind the requests and kept in the database until they are delivered."""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from weakref import WeakKeyDictionary

import asyncpg

from controlplane.access import directory
from controlplane.core.context import Answered, Context
from controlplane.core.errors import ServiceUnavailable
from controlplane.services.s3 import versions
from controlplane.state.database import Database
from controlplane.work.wake import wake

log = logging.getLogger("celaje.s3")

DELIVER = "s3.access-log"
"""The reconciler that delivers them, by the bucket's id."""
_PAUSE = 1.0
_MOST = 20_000
_LONGEST = 2048
_SECONDS = 300.0
"""So long lines are gathered for one file."""
_SECRET = re.compile(r"(X-Amz-Signature|X-Amz-Security-Token|X-Amz-Credential|Signature)=[^& ]*", re.IGNORECASE)
_UNSAFE = re.compile(r'["\x00-\x1f\x7f]')
_KINDS = {
    "Acl": "ACL",
    "Tagging": "OBJECT_TAGGING",
    "Policy": "BUCKETPOLICY",
    "Versioning": "VERSIONING",
    "Lifecycle": "LIFECYCLE",
    "Location": "LOCATION",
    "Logging": "LOGGING_STATUS",
    "Notification": "NOTIFICATION",
    "Website": "WEBSITE",
    "Cors": "CORS",
    "Replication": "REPLICATION",
    "Encryption": "ENCRYPTION",
    "MultipartUploads": "UPLOADS",
    "CreateMultipartUpload": "UPLOADS",
    "MultipartUpload": "UPLOAD",
    "UploadPart": "PART",
    "DeleteObjects": "MULTI_OBJECT_DELETE",
}
_INSERT = """
INSERT INTO s3_access_lines (bucket_id, account_id, line) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[])
"""
_TROUBLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ServiceUnavailable)


class _Waiting:
    """The lines of this process. More than there is room for are dropped: logs are delivered as well as can be."""

    def __init__(self, database: Database, delay: float) -> None:
        self._database = database
        self._delay = delay
        self._lines: list[tuple[int, str, str]] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, line: tuple[int, str, str]) -> None:
        if len(self._lines) < _MOST:
            self._lines.append(line)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(_PAUSE)
            lines, self._lines = self._lines, []
            if not lines:
                return
            try:
                async with self._database.unit() as db:
                    await db.execute(_INSERT, *zip(*lines, strict=True))
                    for id in {line[0] for line in lines}:
                        await wake(db, DELIVER, str(id), self._delay)
            except _TROUBLE as error:
                log.warning("%d lines of access logs are lost: %r", len(lines), error)


_WAITING: WeakKeyDictionary[Database, _Waiting] = WeakKeyDictionary()


def note(ctx: Context, bucket: Any, answered: Answered) -> None:
    """Write down one request."""
    database = ctx.engine("database")
    waiting = _WAITING.get(database)
    if waiting is None:
        waiting = _WAITING[database] = _Waiting(database, max(1.0, _SECONDS * ctx.cloud.storage_day / 86400))
    waiting.add((bucket.id, bucket.account_id, _line(ctx, bucket, answered)))


def _line(ctx: Context, bucket: Any, answered: Answered) -> str:
    key = ctx.request.get("Key")
    requester = "-" if ctx.principal.kind == "anonymous" else ctx.principal.arn
    held = ctx.resources[0].row if ctx.resources else None
    row = held[1] if isinstance(held, tuple) else None
    size = str(row["size"]) if row is not None else "-"
    version = ctx.request.get("VersionId") or (versions.shown(row["version"]) if row and row["version"] else "-")
    signature, kind = _signed(ctx)
    fields = [
        directory.canonical_user(bucket.account_id),
        bucket.name,
        f"[{datetime.now(UTC):%d/%b/%Y:%H:%M:%S +0000}]",
        ctx.source_ip,
        requester,
        ctx.request_id,
        f"REST.{answered.method}.{_kind(ctx.operation, key)}",
        quote(key, safe="/") if key else "-",
        _text(f"{answered.method} {_SECRET.sub(_masked, answered.target)} HTTP/1.1"),
        str(answered.status),
        answered.error or "-",
        str(answered.size) if answered.size else "-",
        size,
        str(round(answered.seconds * 1000)),
        str(round(answered.seconds * 1000)),
        _text(ctx.headers.get("referer")),
        _text(ctx.user_agent),
        quote(version, safe="-_"),
        ctx.request_id,
        signature,
        "-",
        kind,
        quote(ctx.headers.get("host", "-"), safe=":.-[]"),
        "TLSv1.3" if ctx.secure else "-",
        "-",
        "-",
    ]
    return " ".join(fields)


def _signed(ctx: Context) -> tuple[str, str]:
    header = ctx.headers.get("authorization", "")
    if not header:
        return ("-", "-") if ctx.principal.kind == "anonymous" else ("SigV4", "QueryString")
    return ("SigV2" if header.startswith("AWS ") else "SigV4"), "AuthHeader"


def _kind(operation: str, key: str | None) -> str:
    for part, kind in _KINDS.items():
        if part in operation:
            return "TAGGING" if kind == "OBJECT_TAGGING" and not key else kind
    return "OBJECT" if key else "BUCKET"


def _masked(match: re.Match[str]) -> str:
    return f"{match[1]}=-"


def _text(value: str | None) -> str:
    return f'"{_UNSAFE.sub("_", value[:_LONGEST])}"' if value else '"-"'
