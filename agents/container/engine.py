"""The connection to Docker's API: opened again whenever it breaks, its events brought to asyncio."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx

from agents.container.daemon import Daemon

log = logging.getLogger(__name__)

HOST_SOCKET = Path("/run/docker.sock")
_LOOK_AGAIN = 0.1
_PATIENCE = 10.0
_PING_EVERY, _PING_LIMIT = 2.0, 10.0
_SILENT_START = 20.0
"""Seconds after which a dockerd that does not answer is called trouble."""


class Unavailable(Exception):
    """Docker does not answer at the moment."""


class Refused(Exception):
    """Docker answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Engine:
    """Connects to the host's dockerd where it answers, else to one that it starts.

    `on_event` is told the names of containers to which something happened; `on_change` is called when Docker is there
    (again) and when it is lost. `holds` says whether this host has containers to look after: then it waits for the
    dockerd that has them instead of taking another one.
    """

    def __init__(
        self,
        daemon: Daemon,
        home: Path,
        label: str,
        on_event: Callable[[str], None],
        on_change: Callable[[], None],
        holds: Callable[[], bool],
    ) -> None:
        self._daemon = daemon
        self._mark = home / "uses-host-docker"
        self._label = label
        self._on_event = on_event
        self._on_change = on_change
        self._holds = holds
        self._http: httpx.AsyncClient | None = None
        self.ready = asyncio.Event()
        self.own = False
        self.trouble: str | None = "Docker has not answered yet"

    async def run(self) -> None:
        """Keep the connection open until cancelled."""
        while True:
            self._http, self.own = await self._open()
            if not self.own:
                self._mark.touch()
            self.trouble = None
            self.ready.set()
            self._on_change()
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._listen(self._http))
                    tasks.create_task(self._watch(self._http))
            except* (Unavailable, Refused) as lost:
                log.warning("lost Docker: %s", lost.exceptions[0])
                self.trouble = f"Docker was lost: {lost.exceptions[0]}"
            finally:
                self.ready.clear()
                await self._http.aclose()
            self._on_change()

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        document: Any = None,
        content: AsyncIterator[bytes] | None = None,
        limit: float = 60.0,
    ) -> Any:
        """Make one call and answer what it says, parsed, as soon as Docker is there.

        Raises Unavailable when it does not come back or goes away meanwhile, Refused when it says no.
        """
        try:
            await asyncio.wait_for(self.ready.wait(), _PATIENCE)
        except TimeoutError:
            raise Unavailable(self.trouble or "Docker does not answer") from None
        assert self._http is not None
        return await _call(self._http, method, path, params, document, content, limit)

    async def facts(self) -> dict[str, str]:
        """What `celaje status` shows of the engine."""
        if not self.ready.is_set():
            return {"engine": "docker", "trouble": self.trouble or "Docker does not answer"}
        try:
            about = await self.call("GET", "/info")
        except (Unavailable, Refused) as error:
            return {"engine": "docker", "trouble": str(error)}
        whose = "started by the agent" if self.own else "the host's"
        return {
            "engine": f"docker {about['ServerVersion']} ({whose}, {about['Driver']})",
            "kernel": about["KernelVersion"],
        }

    async def _open(self) -> tuple[httpx.AsyncClient, bool]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            for socket, own in self._candidates():
                http = httpx.AsyncClient(
                    transport=httpx.AsyncHTTPTransport(uds=str(socket)), base_url="http://docker", trust_env=False
                )
                try:
                    await _call(http, "GET", "/_ping", limit=_PING_LIMIT)
                    return http, own
                except (Unavailable, Refused) as error:
                    log.debug("%s: %s", socket, error)
                    await http.aclose()
            await self._help(loop.time() - began)
            await asyncio.sleep(_LOOK_AGAIN)

    def _candidates(self) -> list[tuple[Path, bool]]:
        own = (self._daemon.socket, True)
        if self._daemon.used_before:
            return [own]
        hosts = (HOST_SOCKET, False)
        return [hosts] if self._waits_for_host else [hosts, own]

    @property
    def _waits_for_host(self) -> bool:
        return self._mark.exists() and self._holds()

    async def _help(self, waited: float) -> None:
        """Start a dockerd where that is ours to do; say what is wrong where it takes long."""
        trouble = self.trouble
        if self._waits_for_host:
            trouble = "the host's dockerd, which has this host's containers, does not answer"
        elif not self._daemon.installed:
            trouble = "Docker is not installed"
        else:
            await self._daemon.start()
            if waited > _SILENT_START:
                trouble = f"dockerd does not start: {self._daemon.last_words()}"
        if trouble != self.trouble:
            self.trouble = trouble
            self._on_change()

    async def _listen(self, http: httpx.AsyncClient) -> None:
        wanted = {"type": ["container"], "label": [self._label]}
        try:
            params = {"filters": json.dumps(wanted)}
            async with http.stream("GET", "/events", params=params, timeout=httpx.Timeout(10, read=None)) as events:
                async for line in events.aiter_lines():
                    if line:
                        self._on_event(json.loads(line)["Actor"]["Attributes"]["name"])
        except httpx.HTTPError as error:
            raise Unavailable(repr(error)) from error
        raise Unavailable("its events have ended")

    async def _watch(self, http: httpx.AsyncClient) -> None:
        while True:
            await asyncio.sleep(_PING_EVERY)
            await _call(http, "GET", "/_ping", limit=_PING_LIMIT)


async def _call(
    http: httpx.AsyncClient,
    method: str,
    path: str,
    params: dict[str, Any] | None = None,
    document: Any = None,
    content: AsyncIterator[bytes] | None = None,
    limit: float = 60.0,
) -> Any:
    headers = {"content-type": "application/x-tar"} if content is not None else {}
    try:
        response = await http.request(
            method, path, params=params, json=document, content=content, headers=headers, timeout=limit
        )
    except (httpx.HTTPError, RuntimeError) as error:  # RuntimeError: the client was closed meanwhile
        raise Unavailable(f"{method} {path}: {error!r}") from error
    if response.is_error:
        raise Refused(response.status_code, _message(response))
    if response.headers.get("content-type", "").startswith("application/json") and response.content:
        # Calls that take long answer a line for every step; one of them may tell of a failure.
        lines = [json.loads(line) for line in response.text.splitlines() if line.strip()]
        for line in lines:
            if isinstance(line, dict) and "errorDetail" in line:
                raise Refused(500, str(line["errorDetail"].get("message", line["errorDetail"])))
        return lines[0] if len(lines) == 1 else lines
    return response.text


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.text[:500]
