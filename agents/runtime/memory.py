"""What must be remembered of a machine over a restart of the agent."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from agents.runtime.files import write_durably


@dataclass
class Memory:
    """`started` is the host's boot id at the machine's last start, `halted` why it is off though it should run, `vpc`
    and `ports` where it was plugged last, `boots` the last order to boot that was carried out.
    """

    boots: int = -1
    started: str | None = None
    halted: str | None = None
    vpc: str | None = None
    ports: list[str] = field(default_factory=list)

    def save(self, folder: Path) -> None:
        """Write it into the machine's folder; nothing is done when the folder is gone."""
        if folder.exists():
            write_durably(_file(folder), json.dumps(asdict(self)).encode())


def recall(folder: Path) -> Memory:
    """What is remembered in a machine's folder; a new memory when there is none."""
    try:
        return Memory(**json.loads(_file(folder).read_bytes()))
    except (OSError, ValueError, TypeError):
        return Memory()


def boot_id() -> str:
    """Names the time between two boots of the host."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _file(folder: Path) -> Path:
    return folder / "state.json"
