"""Which tables hold blobs, so that none of theirs is taken for an orphan."""

from __future__ import annotations

TABLES: list[str] = []


def holds(*tables: str) -> None:
    """Declare tables with a column `blob`, which may be null; it wants an index."""
    TABLES.extend(table for table in tables if table not in TABLES)


def known() -> str:
    """SQL for those of the ids `$1` that some row holds."""
    return " UNION ".join(f"SELECT blob FROM {table} WHERE blob = ANY($1::text[])" for table in TABLES)
