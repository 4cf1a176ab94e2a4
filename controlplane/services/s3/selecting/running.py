"""Starts the process that runs a query, and reads what it finds."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from controlplane.services.s3.errors import S3Error
from controlplane.services.s3.receiving import in_thread

LARGEST = 4 * 1024**3
"""So large an object may be: it is laid aside while it is looked through."""
_SECONDS = 300.0
_BLOCK = 128 * 1024
_MOST, _MOST_OF_ONE = 8, 2
"""So many queries run at a time in one gateway, and so many of one account."""
_RUNNING: Counter[str] = Counter()
_MODULE = "controlplane.services.s3.selecting.child"
_ROOT = Path(__file__).parents[4]
_REFUSAL = "refusal.json"
"""Where the process leaves what it came upon after it had begun to tell rows."""
_TOO_MUCH = "The query was broken off: it takes too much"


class SelectError(S3Error):
    """What the query, or the object, is refused for."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Busy(S3Error):
    code, status, text = "Busy", 503, "The service is unavailable. Try again later."


async def select(account_id: str, body: bytes | AsyncIterator[bytes], task: Mapping[str, Any]) -> AsyncIterator[bytes]:
    """What a query finds, in pieces. Raises SelectError, before the first piece where the query is refused."""
    if _RUNNING.total() >= _MOST or _RUNNING[account_id] >= _MOST_OF_ONE:
        raise Busy
    _RUNNING[account_id] += 1
    folder = process = timer = None
    try:
        folder = Path(await in_thread(tempfile.mkdtemp, None, "s3-select-"))
        await _lay_aside(folder / "object", body)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-c",
            f"import sys; sys.path.insert(0, {str(_ROOT)!r}); from {_MODULE} import main; main()",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            cwd=folder, env={"HOME": str(folder), "LANG": "C.UTF-8"}, start_new_session=True,
        )  # fmt: skip
        timer = asyncio.get_running_loop().call_later(_SECONDS, _kill, process)
        async for piece in _answer(process, {**task, "path": str(folder / "object"), "largest": LARGEST}):
            yield piece
        if await process.wait():
            raise await in_thread(_broken_off, folder / _REFUSAL)
    finally:
        _RUNNING[account_id] -= 1
        if timer is not None:
            timer.cancel()
        if process is not None and process.returncode is None:
            _kill(process)
            await process.wait()
        if folder is not None:
            await in_thread(shutil.rmtree, folder, True)


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()


async def _lay_aside(path: Path, body: bytes | AsyncIterator[bytes]) -> None:
    file = await in_thread(path.open, "wb")
    try:
        if isinstance(body, bytes):
            await in_thread(file.write, body)
        else:
            async for block in body:
                await in_thread(file.write, block)
    finally:
        await in_thread(file.close)


async def _answer(process: asyncio.subprocess.Process, task: Mapping[str, Any]) -> AsyncIterator[bytes]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(orjson.dumps(task))
    process.stdin.close()
    line = await process.stdout.readline()
    if not line:
        raise SelectError("OverMaxRecordSize", _TOO_MUCH)
    said: dict[str, Any] = orjson.loads(line)
    if not said["ok"]:
        raise SelectError(said["code"], said["message"])
    while block := await process.stdout.read(_BLOCK):
        yield block


def _broken_off(refusal: Path) -> SelectError:
    """What a query that had begun to tell rows came upon."""
    if not refusal.exists():
        return SelectError("OverMaxRecordSize", _TOO_MUCH)
    said = orjson.loads(refusal.read_bytes())
    return SelectError(said["code"], said["message"])
