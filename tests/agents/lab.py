"""A host under test: a real agent with its own cloud id, home and public range, and ways to look at what it made."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from agents.contract.machine import Image
from agents.names import Names
from agents.network import namespace
from tests.agents import documents
from tests.agents.cloud import Cloud, under_load

CACHE = Path(os.environ.get("CELAJE_TEST_CACHE", "/var/cache/celaje-tests"))
_KEPT = 86400.0
"""Seconds that an image of another state of the source is kept: another checkout may be using it."""
_ROOT = Path(__file__).parents[2]
_SSH = (
    "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
    "-o", "ConnectTimeout=15", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
)  # fmt: skip


def built_image(name: str) -> Path:
    """The folder of an image, built once for every state of its builder's source."""
    sources = sorted(path for path in (_ROOT / "agents/images").rglob("*") if path.is_file() and path.suffix != ".pyc")
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    folder = CACHE / f"{name}-{digest}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with _exclusively(CACHE / f"{name}.lock"):
        if not (folder / "manifest.json").exists():
            for old in CACHE.glob(f"{name}-*"):
                if time.time() - old.stat().st_mtime > _KEPT:
                    shutil.rmtree(old)
            command = [sys.executable, "-m", "agents.images.build", name, str(folder)]
            subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, timeout=under_load(300))
    return folder


@contextmanager
def _exclusively(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Host:
    """One simulated owner's machine: a cloud that wants things, and the agent that makes them.

    `enter` are words before a command, which put it where the host is; `cloud` is given where hosts share one.
    """

    def __init__(
        self, folder: Path, enter: tuple[str, ...] = (), cloud: Cloud | None = None, address: str | None = None
    ) -> None:
        self.home = folder / "home"
        self.cloud = cloud or Cloud(f"t{secrets.token_hex(4)}", any_range())
        self.public = self.cloud.public_range.rsplit(".", 1)[0]
        self.names = Names(self.cloud.cloud)
        self.key = folder / "key"
        self._enter = enter
        self._address = ["--address", address] if address else []
        self._folder = folder
        self._token = folder / "join-token"
        self._agent: subprocess.Popen[bytes] | None = None
        self._image: Image | None = None
        self._restore_capabilities()

    @property
    def pid(self) -> int:
        """Process id of the agent."""
        assert self._agent is not None
        return self._agent.pid

    @property
    def public_key(self) -> str:
        """The SSH key that machines are given."""
        return self.key.with_suffix(".pub").read_text().strip()

    @property
    def image(self) -> Image:
        """The tiny image."""
        if self._image is None:
            self._image = documents.image(self.cloud, built_image("tiny"))
        return self._image

    def start(self) -> None:
        """Start the control plane and the agent."""
        self.cloud.start()
        self._token.write_text(self.cloud.join_token)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(self.key)]
        subprocess.run(command, check=True)
        self.start_agent()

    def start_agent(self) -> None:
        """Start the agent alone."""
        command = [
            *self._enter, sys.executable, "-m", "agents.runtime", "--home", str(self.home), *self._address,
            "--endpoint", self.cloud.endpoint, "--name", "host-under-test", "--accelerator", "tcg",
            "--join-token-file", str(self._token),
        ]  # fmt: skip
        with (self._folder / "agent.log").open("ab") as log:
            self._agent = subprocess.Popen(command, cwd=_ROOT, stdout=log, stderr=log)

    def kill_agent(self) -> None:
        """Kill the agent, without a chance to tidy up."""
        assert self._agent is not None
        self._agent.kill()
        self._agent.wait()

    def kill_libvirtd(self) -> None:
        """Kill the libvirtd that the agent has started."""
        os.kill(int((self.runtime / "libvirt" / "libvirtd.pid").read_text()), signal.SIGKILL)

    def close(self) -> None:
        """Remove all that was made on the machine, whatever state the test left it in."""
        if self._agent is not None:
            self._agent.terminate()
            try:
                self._agent.wait(10)
            except subprocess.TimeoutExpired:
                self._agent.kill()
                self._agent.wait()
        self.cloud.stop()
        self._save_capabilities()
        down = [sys.executable, "-m", "agents.runtime.down", "--home", str(self.home), "--grace", "0"]
        subprocess.run([*self._enter, *down], cwd=_ROOT, check=True, timeout=under_load(60))

    @property
    def runtime(self) -> Path:
        """The agent's folder of things that do not survive a reboot."""
        return Path("/run/celaje") / self.cloud.cloud

    def ssh(self, address: str, command: str, user: str = "ec2-user", limit: float = 30) -> str:
        """What a command says on a machine, once the machine lets us in. Raises when the command fails."""
        limit = under_load(limit)
        deadline = time.monotonic() + limit
        while True:
            words = [*self._enter, "ssh", *_SSH, "-i", str(self.key), f"{user}@{address}", command]
            done = subprocess.run(words, capture_output=True, text=True, timeout=limit + 30)
            if done.returncode == 0:
                return done.stdout
            if done.returncode != 255 or time.monotonic() >= deadline:
                log = (self._folder / "agent.log").read_text()[-3000:]
                raise AssertionError(f"{command!r} on {address}: {done.returncode} {done.stdout} {done.stderr}\n{log}")
            time.sleep(0.2)

    def qemu(self, machine: str) -> list[int]:
        """Process ids of the QEMUs of a machine."""
        wanted = f"guest={self.names.domain(machine)},".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if b"qemu-system" in words[0] and any(word.startswith(wanted) for word in words):
                found.append(int(path.parent.name))
        return found

    def traces(self) -> dict[str, list[str]]:
        """All that the host has of VPCs and machines of this cloud, by kind."""
        names = self.names
        links = [link["ifname"] for link in json.loads(_output("ip", "-json", "link"))]
        routes = [
            route["dst"] for route in json.loads(_output("ip", "-json", "route")) if route.get("type") != "unreachable"
        ]
        dnsmasq = f"--conf-file={self.runtime}/vpcs/"
        return {
            "processes": [
                path.parent.name
                for path in Path("/proc").glob("[0-9]*/cmdline")
                if any(text in _read(path) for text in (f"guest={names.domain_prefix}", dnsmasq))
            ],
            "namespaces": sorted(namespace.names(names.namespace_prefix)),
            "links": [link for link in links if link.startswith((names.tap_prefix, names.uplink_prefix))],
            "routes": [route for route in routes if re.match(re.escape(self.public), route)],
            "files": [str(path) for path in (self.home / "machines").glob("*")],
            "ledger": [str(path) for path in (self.home / "ledger").rglob("*.json")],
        }

    def _restore_capabilities(self) -> None:
        """Libvirt tries QEMU out for seconds; what it learnt is good for all hosts on this machine."""
        if (CACHE / "libvirt").exists():
            shutil.copytree(CACHE / "libvirt", self.home / "libvirt" / "cache")

    def _save_capabilities(self) -> None:
        learnt = self.home / "libvirt" / "cache"
        if learnt.exists() and not (CACHE / "libvirt").exists():
            aside = CACHE / f".libvirt-{self.cloud.cloud}"
            shutil.copytree(learnt, aside)
            try:
                aside.rename(CACHE / "libvirt")
            except OSError:
                shutil.rmtree(aside)


def any_range() -> str:
    """A public range that hardly anybody else on this machine has."""
    number = secrets.randbelow(1 << 12)
    return f"100.{64 + (number >> 6)}.{(number & 63) * 4}.0/24"


def eventually(check: Callable[[], bool], limit: float, what: str) -> None:
    """Wait until something is true."""
    limit = under_load(limit)
    deadline = time.monotonic() + limit
    while not check():
        assert time.monotonic() < deadline, f"{what}: not within {limit:g} s"
        time.sleep(0.05)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
