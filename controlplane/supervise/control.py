"""The control socket: one JSON line asked, JSON lines answered.

"status"  one line: the status document
"watch"   a status document now and at every change
"down"    as "watch", after asking the cloud to stop; the connection ends when it has stopped
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from controlplane.supervise.supervisor import Supervisor

_LINE_LIMIT = 1 << 20


async def serve(path: Path, supervisor: Supervisor) -> asyncio.AbstractServer:
    """Listen for `celaje` commands; only our own user and root may connect."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        changed = asyncio.Event()
        unsubscribe = supervisor.subscribe(changed.set)
        try:
            command = json.loads(await reader.readline())
            if command == "down":
                supervisor.stopping.set()
            while True:
                changed.clear()
                writer.write(json.dumps(supervisor.status()).encode() + b"\n")
                await writer.drain()
                if command == "status":
                    break
                await changed.wait()
        except (ConnectionError, json.JSONDecodeError):
            pass
        finally:
            unsubscribe()
            writer.close()

    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(answer, path)
    path.chmod(0o600)
    return server


def ask(path: Path, command: str, timeout: float | None = None) -> Iterator[dict[str, Any]]:
    """The client's end. Raises ConnectionError or FileNotFoundError when no supervisor listens there."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        connection.connect(str(path))
        connection.sendall(json.dumps(command).encode() + b"\n")
        with connection.makefile("rb") as lines:
            while line := lines.readline(_LINE_LIMIT):
                yield json.loads(line)
