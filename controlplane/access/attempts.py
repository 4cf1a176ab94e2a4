"""Slows down who guesses passwords and codes.

An attempt is counted before it is checked, in a transaction of its own: guesses sent side by side count too, and the
request's failure does not undo the count.
"""

from __future__ import annotations

from controlplane.state.database import Database

FREE = 5
"""Wrong guesses in a row before the first pause; it doubles with each further one."""
LONGEST = 900

_BEGIN = """
INSERT INTO access_attempts AS a (target, failures, last_at) VALUES ($1, 1, now())
ON CONFLICT (target) DO UPDATE SET failures = a.failures + 1, last_at = now()
WHERE a.failures < $2 OR a.last_at < now() - make_interval(secs => least($3, power(2, least(a.failures - $2, 20))))
RETURNING failures
"""
_SUCCEEDED = "DELETE FROM access_attempts WHERE target = $1 OR last_at < now() - interval '1 day'"


class TooManyAttempts(Exception):
    """Too many wrong guesses in a row; worth another try after a pause."""


class Attempts:
    """One per process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, target: str) -> None:
        """Count an attempt. Raises TooManyAttempts during a pause, when nothing may even be checked."""
        async with self._database.unit() as db:
            if await db.fetchval(_BEGIN, target, FREE, LONGEST) is None:
                raise TooManyAttempts(target)

    async def succeeded(self, target: str) -> None:
        """Forget the failures before, and those of others that are long past."""
        async with self._database.unit() as db:
            await db.execute(_SUCCEEDED, target)
