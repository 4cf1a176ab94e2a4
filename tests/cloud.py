"""A real cloud for tests, run by the supervisor that also runs it for users."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import re
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
import dns.exception
import dns.message
import dns.query
from botocore.config import Config

from controlplane.access import accounts, quotas
from controlplane.core.context import Unit
from controlplane.settings import Settings, child_environment
from controlplane.state.database import Database
from controlplane.state.sealing import Sealer, load_root_key
from controlplane.supervise import control
from controlplane.supervise.logfiles import LogFile
from tests.ranges import take_range

T = TypeVar("T")

START_SECONDS = 150.0
PLACES = {"10.81.0.0/16": "EU-DE", "10.82.0.0/16": "EU-FR", "10.83.0.0/16": "NA-US-CA", "10.84.0.0/16": "ap-south-1"}
"""Where networks are, for those who ask hosted zones."""
REACHABLE = ("127.0.0.1/32",)
"""Where tests have servers that the cloud calls. Other addresses of loopback stay forbidden."""
STOP_SECONDS = 30.0


def at_its_address(client: Any) -> Any:
    """The client, which puts no account before a loopback address: S3 Control's makes a host name of both."""

    def sign(request: Any, **_: Any) -> None:
        request.url = re.sub(r"//[^/]*?(127\.0\.0\.1:)", r"//\1", request.url)

    client.meta.events.register("before-sign.s3-control", sign)
    return client


@dataclass(frozen=True)
class Account:
    """An account with its administrator's key."""

    endpoint: str
    id: str
    access_key_id: str
    secret_access_key: str

    def client(self, service: str, region: str = "us-east-1", **options: Any) -> Any:
        """A boto3 client; one attempt only, so that tests see every answer."""
        client = boto3.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=60),
            **options,
        )
        return at_its_address(client)

    def environment(self) -> dict[str, str]:
        """What `celaje env` exports, for commands such as aws."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


class Cloud:
    """A cloud in a folder of its own, on a free port."""

    def __init__(self, home: Path, *, agent: bool) -> None:
        self.home = home
        self._agent = agent and os.geteuid() == 0

    @property
    def endpoint(self) -> str:
        return str(self.status()["endpoint"])

    def start(self, *, with_parent: bool = False, **settings: Any) -> None:
        """Start it unless it runs, and wait until it answers. It ends with this process (or its parent)."""
        with (self.home / "start.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.running():
                self._spawn(os.getppid() if with_parent else os.getpid(), settings)
        self.wait_until(lambda: all(p["state"] in ("ready", "done") for p in self.processes() if p["name"] != "agent"))

    def stop(self) -> None:
        """Stop all its processes and switch its machines off; nothing happens when it does not run."""
        with contextlib.suppress(FileNotFoundError, ConnectionError, TimeoutError):
            for _ in control.ask(self.home / "control.sock", "down", STOP_SECONDS):
                pass
        deadline = time.monotonic() + STOP_SECONDS
        while (self.home / "control.sock").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        for name, module in (("containers", "agents.container.down"), ("agent", "agents.runtime.down")):
            if (self.home / name).exists():
                command = [sys.executable, "-m", module, "--home", str(self.home / name), "--grace", "0"]
                subprocess.run(command, env=child_environment(), check=False, timeout=STOP_SECONDS)

    def running(self) -> bool:
        try:
            self.status()
        except (FileNotFoundError, ConnectionError):
            return False
        return True

    def dns_port(self) -> int:
        """The port on which hosted zones answer."""
        return int((self.home / "dns-port").read_text())

    def ask_dns(self, question: dns.message.Message, *, tcp: bool = False, source: str | None = None) -> Any:
        """What the hosted zones answer. As resolvers do, it asks again when nothing comes: the server may be changing
        over because a zone is logged."""
        send: Any = dns.query.tcp if tcp else dns.query.udp
        for _ in range(4):
            with contextlib.suppress(OSError, EOFError, dns.exception.Timeout):
                return send(question, "127.0.0.1", 3, self.dns_port(), source=source)
            time.sleep(0.2)
        return send(question, "127.0.0.1", 10, self.dns_port(), source=source)

    def smtp_port(self) -> int:
        """The port on which mail is taken."""
        return int((self.home / "smtp-port").read_text())

    def id(self) -> str:
        """The short id in the names of everything that its agent makes on this host."""
        return str(json.loads((self.home / "agent/identity.json").read_text())["cloud"])

    def status(self) -> dict[str, Any]:
        """What `celaje status --json` prints."""
        return next(control.ask(self.home / "control.sock", "status", 5.0))

    def processes(self) -> list[dict[str, Any]]:
        return list(self.status()["processes"])

    def process(self, name: str) -> dict[str, Any]:
        """The status of one process."""
        return next(process for process in self.processes() if process["name"] == name)

    def wait_until(self, condition: Any, seconds: float = START_SECONDS) -> None:
        """Wait until a function answers true. Raises AssertionError with the state of all processes."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError, ConnectionError):
                if condition():
                    return
            time.sleep(0.05)
        raise AssertionError(f"not so after {seconds:.0f} s: {self._complaint()}")

    def tiny_image(self) -> str:
        """The id of the tiny AMI; the first caller builds it."""
        with (self.home / "image.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = self.celaje("image", "build", "tiny", "--missing")
        return done.strip().rpartition(" ")[2]

    def build_tiny(self, folder: Path) -> None:
        """Build the tiny image into a folder, with its manifest."""
        command = [sys.executable, "-m", "agents.images.build", "tiny", str(folder)]
        subprocess.run(command, check=True, capture_output=True)

    def celaje(self, *arguments: str) -> str:
        """What a `celaje` command prints. Raises AssertionError with its complaint when it fails."""
        done = self.try_celaje(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def try_celaje(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A `celaje` command, well or not."""
        return subprocess.run(
            [sys.executable, "-m", "controlplane.cli", *arguments],
            env=child_environment(CELAJE_HOME=str(self.home), COLUMNS="200"),
            capture_output=True,
            text=True,
            check=False,
        )

    def _complaint(self) -> str:
        if not self.running():
            return (self.home / "supervisor.log").read_text()[-2000:]
        waiting = [process for process in self.processes() if process["state"] not in ("ready", "done")]
        logs = [LogFile(self.home / "logs", process["name"], 0).tail(3) for process in waiting]
        return "".join(f"\n{process}\n{chr(10).join(log)}" for process, log in zip(waiting, logs, strict=True))

    def new_account(self) -> Account:
        """An account that nobody else uses."""
        made = self._in_database(lambda db, sealer: accounts.create(db, sealer, f"test-{uuid.uuid4().hex[:12]}"))
        return Account(self.endpoint, made.id, made.access_key_id, made.secret_access_key)

    def grant(self, account: Account, quota: str, value: float) -> None:
        """Let an account have more (or less) of something, such as `vpc/L-F678F1CE`, in all regions."""

        async def grant(db: Unit, _: Sealer) -> None:
            await quotas.grant(db, account.id, quotas.EVERYWHERE, quota, value)

        self._in_database(grant)

    def _in_database(self, action: Callable[[Unit, Sealer], Awaitable[T]]) -> T:
        async def run() -> T:
            settings = Settings(home=self.home)
            database = await Database.open(settings.database, generations=settings.generations, size=1)
            try:
                async with database.unit() as db:
                    return await action(db, Sealer(load_root_key(settings.root_key)))
            finally:
                await database.close()

        with ThreadPoolExecutor(1) as thread:  # asyncio.run wants a thread without a running loop
            return thread.submit(asyncio.run, run()).result()

    def _spawn(self, guardian: int, settings: dict[str, Any]) -> None:
        with socket.socket() as probe, socket.socket() as other, socket.socket() as mail:
            probe.bind(("127.0.0.1", 0))
            other.bind(("127.0.0.1", 0))
            mail.bind(("127.0.0.1", 0))
            settings.setdefault("smtp_listen", f"127.0.0.1:{mail.getsockname()[1]}")
            port, dns = probe.getsockname()[1], other.getsockname()[1]
        settings.setdefault("dns_listen", f"127.0.0.1:{dns}")
        settings.setdefault("public_range", take_range())
        settings.setdefault("containers", False)
        settings.setdefault("dns_places", PLACES)
        settings.setdefault("reachable", REACHABLE)
        (self.home / "dns-port").write_text(settings["dns_listen"].rpartition(":")[2])
        (self.home / "smtp-port").write_text(settings["smtp_listen"].rpartition(":")[2])
        chosen = Settings(home=self.home, listen=f"127.0.0.1:{port}", agent=self._agent, **settings)
        with (self.home / "supervisor.log").open("ab") as log:
            subprocess.Popen(
                [sys.executable, "-m", "controlplane.supervise", "--with", str(guardian)],
                env=child_environment(**chosen.environment(given_only=True)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait_until(self.running)
