"""A control plane for tests: it speaks the agents' contract from memory and drives a real agent."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from agents.contract.exchange import PREFIX, Change, Credentials, Desired, Join, Joined, Noted, Observed, Wanted
from agents.contract.machine import MachineReport
from agents.contract.queries import Queries, Query
from controlplane.gateway.connection import BoundedConnection

RELAY_KEY = bytes(32)


def under_load(seconds: float) -> float:
    """A time limit that holds on an idle machine, stretched by how busy this one is."""
    return seconds * min(10.0, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))


class Cloud:
    """Holds the desired state of one host and what it reports. Methods are for the test's thread."""

    def __init__(self, cloud: str, public_range: str, listen: str = "127.0.0.1") -> None:
        self.cloud = cloud
        self.public_range = public_range
        self.listen = listen
        self.join_token = secrets.token_hex(16)
        self.host_token = secrets.token_hex(16)
        self.blobs: dict[str, Path] = {}
        self.credentials: dict[str, Credentials] = {}
        self.reports: dict[str, MachineReport] = {}
        self.history: list[tuple[float, MachineReport]] = []
        self.applied: dict[str, int] = {}
        self.consoles: dict[str, bytes] = {}
        self.queries: list[Query] = []
        self.orphans: set[str] = set()
        self.joins: list[Join] = []
        self.facts: dict[str, str] = {}
        self.generation = 0
        self._changes: dict[tuple[str, str], Change] = {}
        self._lock = threading.Condition()
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._port = 0
        self._leaving = False

    @property
    def endpoint(self) -> str:
        """Where the agent finds this control plane."""
        return f"http://{self.listen}:{self._port}"

    def start(self) -> None:
        """Serve, always on the same port once it has been started."""
        self._leaving = False
        BoundedConnection.relay_key = _relay_key
        config = uvicorn.Config(
            self._application(),
            host=self.listen,
            port=self._port,
            log_level="warning",
            lifespan="off",
            http=BoundedConnection,
        )
        server = self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 10
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        self._port = server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Go away, as a control plane does that is being restarted."""
        if self._server is not None and self._thread is not None:
            self._leaving = self._server.should_exit = True
            self._thread.join(10)

    def add_blob(self, path: Path) -> str:
        """Offer a file to the host; returns its id."""
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.blobs[digest] = path
        return digest

    def want(self, *documents: Wanted) -> None:
        """Have the host make things so."""
        with self._lock:
            for document in documents:
                self._change(document.kind, document.id, document)
            self._lock.notify_all()

    def drop(self, kind: str, id: str) -> None:
        """Have the host remove a thing."""
        with self._lock:
            self._change(kind, id, None)
            self._lock.notify_all()

    def forget(self, kind: str, id: str) -> None:
        """Lose all knowledge of a thing, without telling the host."""
        with self._lock:
            self._changes.pop((kind, id), None)

    def wanted(self, kind: str, id: str) -> Wanted | None:
        """The document of a thing."""
        change = self._changes.get((kind, id))
        return change.document if change else None

    def until(self, condition: Callable[[], bool], limit: float, what: str) -> None:
        """Wait for something that the host's reports bring about."""
        limit = under_load(limit)
        with self._lock:
            if not self._lock.wait_for(condition, limit):
                raise TimeoutError(f"{what}: not within {limit:g} s; reports: {self.reports}")

    def until_state(self, machine: str, state: str, limit: float = 40) -> MachineReport:
        """Wait until a machine is reported in a state."""
        self.until(
            lambda: machine in self.reports and self.reports[machine].state == state, limit, f"{machine} {state}"
        )
        return self.reports[machine]

    def until_networked(self, machine: str, limit: float = 40) -> MachineReport:
        """Wait until a machine runs and has its address."""

        def ready() -> bool:
            report = self.reports.get(machine)
            return report is not None and report.state == "running" and report.networked

        self.until(ready, limit, f"{machine} networked")
        return self.reports[machine]

    def until_applied(self, kind: str, id: str, limit: float = 40) -> None:
        """Wait until the host reflects the last change of a thing."""
        generation = self._changes[kind, id].generation
        self.until(lambda: self.applied.get(f"{kind}/{id}", -1) >= generation, limit, f"{kind}/{id} applied")

    def _change(self, kind: str, id: str, document: Wanted | None) -> None:
        self.generation += 1
        self._changes[kind, id] = Change(kind=kind, id=id, generation=self.generation, document=document)

    def _application(self) -> Starlette:
        routes = [
            Route(f"{PREFIX}/join", self._join, methods=["POST"]),
            Route(f"{PREFIX}/desired", self._desired),
            Route(f"{PREFIX}/observed", self._observed, methods=["POST"]),
            Route(f"{PREFIX}/blobs/{{digest}}", self._blob),
            Route(f"{PREFIX}/machines/{{id}}/credentials", self._role_credentials),
            Route(f"{PREFIX}/machines/{{id}}/console", self._console, methods=["PUT"]),
            Route(f"{PREFIX}/queries", self._queries, methods=["POST"]),
        ]
        return Starlette(routes=routes)

    def _known(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"Bearer {self.host_token}"

    async def _join(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {self.join_token}":
            return Response(status_code=401)
        self.joins.append(Join.model_validate_json(await request.body()))
        joined = Joined(
            host="host-1",
            token=self.host_token,
            cloud=self.cloud,
            public_range=self.public_range,
            relay_key=RELAY_KEY.hex(),
        )
        return Response(joined.model_dump_json(), media_type="application/json")

    async def _desired(self, request: Request) -> Response:
        if not self._known(request):
            return Response(status_code=401)
        after, wait = int(request.query_params["after"]), float(request.query_params["wait"])
        deadline = time.monotonic() + wait
        while 0 < self.generation <= after and time.monotonic() < deadline and not self._leaving:
            await asyncio.sleep(0.005)
        with self._lock:
            changes = [change for change in self._changes.values() if change.generation > after]
            changes.sort(key=lambda change: change.generation)
            desired = Desired(generation=self.generation, complete=after == 0, changes=tuple(changes))
        return Response(desired.model_dump_json(), media_type="application/json")

    async def _observed(self, request: Request) -> Response:
        if not self._known(request):
            return Response(status_code=401)
        observed = Observed.model_validate_json(await request.body())
        with self._lock:
            if observed.complete:
                self.reports = {}
            for report in observed.machines:
                self.reports[report.id] = report
                self.history.append((time.time(), report))
            self.applied |= observed.applied
            for (kind, id), change in self._changes.items():
                if (
                    kind == "machine"
                    and change.document is None
                    and self.applied.get(f"machine/{id}") == change.generation
                ):
                    self.reports[id] = MachineReport(id=id, state="absent")
            self.facts = observed.facts or self.facts
            seen = {report.id for report in observed.machines}
            noted = Noted(orphans=tuple(sorted(self.orphans & seen)))
            self._lock.notify_all()
        return JSONResponse(noted.model_dump())

    async def _blob(self, request: Request) -> Response:
        path = self.blobs.get(request.path_params["digest"])
        if not self._known(request) or path is None:
            return Response(status_code=404)
        return FileResponse(path)

    async def _role_credentials(self, request: Request) -> Response:
        credentials = self.credentials.get(request.path_params["id"])
        if not self._known(request) or credentials is None:
            return Response(status_code=404)
        return Response(credentials.model_dump_json(), media_type="application/json")

    async def _queries(self, request: Request) -> Response:
        self.queries += Queries.model_validate_json(await request.body()).queries
        return Response(status_code=204)

    async def _console(self, request: Request) -> Response:
        self.consoles[request.path_params["id"]] = await request.body()
        return Response(status_code=204)


class _RelayKey:
    def __call__(self, host: str) -> bytes:
        return RELAY_KEY


_relay_key = _RelayKey()
