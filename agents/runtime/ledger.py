"""What this host must have, on disk: every document is stored here before it is applied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agents.contract.exchange import Change
from agents.names import check_id
from agents.runtime.files import sync_folder, write_durably


@dataclass(frozen=True)
class Key:
    """Names one thing."""

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.id}"


class Ledger:
    """One JSON file a thing, `<kind>/<id>.json`, holding the last change; a removal stays until it has been done.

    `kinds` are the kinds of documents that this host can have."""

    def __init__(self, folder: Path, kinds: tuple[str, ...]) -> None:
        self._folder = folder
        self._kinds = kinds
        self._changes: dict[Key, Change] = {}
        for kind in kinds:
            (folder / kind).mkdir(parents=True, exist_ok=True)
            for path in (folder / kind).glob("*.json"):
                change = Change.model_validate_json(path.read_bytes())
                self._changes[Key(change.kind, change.id)] = change

    def store(self, change: Change) -> None:
        """Keep a change. Raises ValueError for an unknown kind or an unfit id, OSError when the disk refuses."""
        if change.kind not in self._kinds:
            raise ValueError(f"unknown kind of document: {change.kind!r}")
        key = Key(change.kind, check_id(change.id))
        write_durably(self._path(key), change.model_dump_json().encode())
        self._changes[key] = change

    def forget(self, key: Key) -> None:
        """Drop a thing that has been removed from the host."""
        if self._changes.pop(key, None) is not None:
            self._path(key).unlink(missing_ok=True)
            sync_folder(self._path(key).parent)

    def get(self, key: Key) -> Change | None:
        """The last change of a thing."""
        return self._changes.get(key)

    def keys(self, kind: str | None = None) -> Iterator[Key]:
        """The things that the ledger knows, removals under way included."""
        return iter([key for key in self._changes if kind in (None, key.kind)])

    def _path(self, key: Key) -> Path:
        return self._folder / key.kind / f"{key.id}.json"
