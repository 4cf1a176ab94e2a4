"""The ground that a cloud stands on: its user and its folders."""

from __future__ import annotations

import json
import multiprocessing
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import TypeVar, cast

from controlplane.settings import Settings
from controlplane.state.embedded import Owner

T = TypeVar("T")

PUBLIC_POOL = IPv4Network("198.18.0.0/15")
"""Set aside for benchmarks of networks (RFC 2544): in use at nobody's home."""
PUBLIC_PREFIX = 18


class GroundError(Exception):
    """Something on this machine keeps the cloud from starting; the message says what to do."""


def owner(settings: Settings) -> Owner:
    """The user of all processes but the agents: `settings.user`, made when missing; ourselves when we are not root."""
    if os.geteuid() != 0:
        return Owner.current()
    try:
        entry = pwd.getpwnam(settings.user)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        subprocess.run([*command, "--shell", "/usr/sbin/nologin", settings.user], check=True)
        entry = pwd.getpwnam(settings.user)
    return Owner(entry.pw_name, entry.pw_uid, entry.pw_gid, drop=True)


def lay_out(settings: Settings, owner: Owner) -> None:
    """Make the home folder and those in it.

    Root keeps the home itself, so that the unprivileged user can replace nothing that root reads or runs. Others may
    pass through it (QEMU as libvirt's own user must reach the disks) but read nothing.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    settings.home.chmod(0o711)
    for name, mode in (("notify", 0o711), ("etc", 0o755), ("logs", 0o700)):
        _folder(settings.home / name, mode)
    for path in (
        settings.run,
        settings.secrets,
        settings.blobs,
        settings.cold,
        settings.cache,
        settings.home / "postgres",
    ):
        _folder(path, 0o700, owner)
    if owner.drop and (file := settings.home / "settings.toml").exists():
        os.chown(file, 0, owner.gid)
        file.chmod(0o640)


def with_public_range(settings: Settings) -> Settings:
    """The settings with a range of public addresses of this cloud's own, unless its owner has set one.

    It is chosen at the first start and kept, so that several clouds on one machine do not collide.
    """
    if "public_range" in settings.model_fields_set:
        return settings
    note = settings.home / "etc" / "public-range"
    if not note.exists():
        note.write_text(str(_free_range()))
    return settings.model_copy(update={"public_range": IPv4Network(note.read_text())})


def _free_range() -> IPv4Network:
    used = [IPv4Network(text, strict=False) for text in _networks_in_use()]
    for candidate in PUBLIC_POOL.subnets(new_prefix=PUBLIC_PREFIX):
        if not any(candidate.overlaps(network) for network in used):
            return candidate
    raise GroundError(f"all of {PUBLIC_POOL} is in use on this machine; set CELAJE_PUBLIC_RANGE")


def _networks_in_use() -> list[str]:
    """Addresses and routes of this machine, less the default route."""
    if shutil.which("ip") is None:
        return []
    links = json.loads(subprocess.run(["ip", "-j", "-4", "address"], check=True, capture_output=True).stdout)
    routes = json.loads(subprocess.run(["ip", "-j", "-4", "route"], check=True, capture_output=True).stdout)
    addresses = [address["local"] for link in links for address in link.get("addr_info", ())]
    return [*addresses, *(route["dst"] for route in routes if route["dst"] != "default")]


def as_owner(settings: Settings, action: Callable[[], T]) -> T:
    """Run a function in a child process that is the unprivileged user (right here when we are not root).

    Answers its result and raises its exception, both of which must be picklable.
    """
    user = owner(settings)
    if not user.drop:
        return action()
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def run() -> None:
        try:
            _become(user)
            sender.send((action(), None))
        except Exception as error:
            sender.send((None, error))

    child = context.Process(target=run)
    child.start()
    sender.close()
    result, error = receiver.recv()
    child.join()
    if error is not None:
        raise error
    return cast(T, result)


def _become(user: Owner) -> None:
    os.setgroups([])
    os.setgid(user.gid)
    os.setuid(user.uid)


def check_reachable(owner: Owner) -> None:
    """Raise GroundError when the unprivileged user may not read the interpreter or the code (below `/root`, say)."""
    if not owner.drop:
        return
    for path in (Path(sys.executable), Path(sys.executable).resolve(), Path(__file__).resolve()):
        for part in (path, *path.parents):
            state = part.stat()
            bits = state.st_mode >> (6 if state.st_uid == owner.uid else 3 if state.st_gid == owner.gid else 0)
            if not bits & (1 if part.is_dir() else 4):
                raise GroundError(
                    f"the user {owner.name} may not read {part}, so it cannot run {path}. "
                    "`make up` installs Celaje into /opt/celaje in such a case."
                )


def _folder(path: Path, mode: int, owner: Owner | None = None) -> None:
    path.mkdir(exist_ok=True)
    if path.is_symlink():
        raise GroundError(f"{path} is a symbolic link; make it a folder")
    path.chmod(mode)
    if owner is not None and owner.drop:
        os.chown(path, owner.uid, owner.gid)
