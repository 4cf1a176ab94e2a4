"""The tails of serial consoles, as agents send them."""

from __future__ import annotations

from datetime import datetime

from controlplane.core.context import Unit

_KEEP = """
INSERT INTO fleet_consoles (machine, output) VALUES ($1, $2)
ON CONFLICT (machine) DO UPDATE SET output = excluded.output, written_at = now()
"""


async def keep(db: Unit, machine: str, output: bytes) -> None:
    """Replace what is known of a machine's console."""
    await db.execute(_KEEP, machine, output)


async def of(db: Unit, machine: str) -> tuple[bytes, datetime] | None:
    """A machine's console output and when it was written."""
    row = await db.fetchrow("SELECT output, written_at FROM fleet_consoles WHERE machine = $1", machine)
    return (row["output"], row["written_at"]) if row else None


async def forget(db: Unit, machine: str) -> None:
    """Drop the console of a machine that is gone for good."""
    await db.execute("DELETE FROM fleet_consoles WHERE machine = $1", machine)
