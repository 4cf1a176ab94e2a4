"""The host's identity in its cloud, kept in a file that only root can read."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import httpx

from agents.contract.exchange import Join, Joined
from agents.runtime.client import Client, Unauthorized
from agents.runtime.files import write_durably

log = logging.getLogger(__name__)

_LONGEST_PAUSE = 10.0


class NoToken(Exception):
    """The host is not a member of the cloud and has no join token to become one."""


class Identity:
    """Joins once; joins again when the control plane no longer knows the host's token."""

    def __init__(self, file: Path, client: Client, join_token_file: Path | None) -> None:
        self._file = file
        self._client = client
        self._join_token_file = join_token_file

    def known(self) -> Joined | None:
        """The identity from an earlier run; None also when it lacks what is given to hosts that join today."""
        if not self._file.exists():
            return None
        joined = Joined.model_validate_json(self._file.read_bytes())
        if not joined.relay_key and self._join_token_file is not None:
            return None
        self._client.use_token(joined.token)
        return joined

    async def join(self, join: Join) -> Joined:
        """Join the cloud, as often as it takes. Raises NoToken."""
        pause = 0.2
        while True:
            try:
                joined = await self._client.join(join, self._join_token())
                break
            except (httpx.HTTPError, Unauthorized, ValueError) as error:
                log.warning("cannot join yet: %s", error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        before = Joined.model_validate_json(self._file.read_bytes()) if self._file.exists() else None
        if before is not None and (before.cloud, before.public_range) != (joined.cloud, joined.public_range):
            raise RuntimeError(f"this home belongs to cloud {before.cloud}, not {joined.cloud}")
        write_durably(self._file, joined.model_dump_json().encode(), mode=0o600)
        self._client.use_token(joined.token)
        return joined

    def _join_token(self) -> str:
        if self._join_token_file is None or not self._join_token_file.exists():
            raise NoToken("give --join-token-file to let this host join its cloud")
        return self._join_token_file.read_text().strip()
