"""Where a cloud's state lies: the folder of all, and what is in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator
from pydantic_settings import BaseSettings

_SOCKET_PATH_LIMIT = 107


def default_home() -> Path:
    """`/var/lib/celaje` for root, `~/.local/share/celaje` for anybody else."""
    return Path("/var/lib/celaje") if os.geteuid() == 0 else Path.home() / ".local/share/celaje"


def absolute(path: Path) -> Path:
    """A path from the root on; `~` is the home of whoever starts the cloud."""
    return path.expanduser().absolute()


class Folders(BaseSettings):
    """The home folder, and what lies where in it."""

    home: Annotated[Path, AfterValidator(absolute)] = Field(
        default_factory=default_home,
        description="Folder that holds all state of this cloud: database, keys, logs, sockets and the machines' disks. "
        "Default: `/var/lib/celaje` as root, `~/.local/share/celaje` otherwise.",
    )

    @field_validator("home")
    @classmethod
    def _room_for_sockets(cls, home: Path) -> Path:
        longest = len(os.fsencode(home / "run" / ".s.PGSQL.5432"))
        if longest > _SOCKET_PATH_LIMIT:
            raise ValueError(f"{home} is too long by {longest - _SOCKET_PATH_LIMIT} characters for sockets in it")
        return home

    @property
    def run(self) -> Path:
        """Folder of the unprivileged processes' sockets."""
        return self.home / "run"

    @property
    def generations(self) -> Path:
        """File through which processes tell each other which tables they wrote."""
        return self.run / "generations"

    @property
    def secrets(self) -> Path:
        """Folder of the root key and the join token."""
        return self.home / "secrets"

    @property
    def root_key(self) -> Path:
        return self.secrets / "root.key"

    @property
    def join_token(self) -> Path:
        """File that holds the token with which hosts join."""
        return self.secrets / "join-token"

    @property
    def blobs(self) -> Path:
        """Folder of the embedded blob engine."""
        return self.home / "blobs"

    @property
    def cold(self) -> Path:
        """Folder of archived objects."""
        return self.home / "cold"

    @property
    def cache(self) -> Path:
        """Folder of what can be computed again."""
        return self.home / "cache"

    @property
    def logs(self) -> Path:
        return self.home / "logs"
