"""Running the host's tools."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence


class ToolFailed(Exception):
    """A tool ended with an error; the message holds what it said."""


async def run(command: Sequence[str], stdin: str | None = None, timeout: float = 30) -> str:  # noqa: ASYNC109
    """Run a tool to its end and return what it printed. Raises ToolFailed for a non-zero exit or after `timeout` s."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(stdin.encode() if stdin else None), timeout)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise ToolFailed(f"{' '.join(command[:4])}: no end after {timeout:g} s") from None
    if process.returncode != 0:
        said = errors.decode(errors="replace").strip()
        raise ToolFailed(f"{' '.join(command[:4])} ended with {process.returncode}: {said[:2000]}")
    return output.decode(errors="replace")
