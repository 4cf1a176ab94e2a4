"""Carries out the lifecycle of a bucket: each midnight, and when its rules change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from controlplane.core import storage_clock as clock
from controlplane.core.context import Cloud, Context, Unit
from controlplane.services.s3 import buckets, events, storing
from controlplane.services.s3.archive import moving
from controlplane.services.s3.buckets import Bucket
from controlplane.services.s3.lifecycle import queries, rules
from controlplane.services.s3.lifecycle.rules import LIFECYCLE, WATERFALL, Rule
from controlplane.services.s3.queries import objects as stored
from controlplane.services.s3.queries import uploads
from controlplane.work.reconciler import GONE, Again, Outcome, Run, reconciler

_BY_ID = "SELECT * FROM s3_buckets WHERE id = $1"
_LEAST_WAIT = 0.2

Page = Callable[[Unit, bytes | None], Awaitable[list[Any]]]


@reconciler(LIFECYCLE)
async def keep(run: Run, key: str) -> Outcome:
    """Expire and move what is due in a bucket."""
    async with run.step() as db:
        row = await db.fetchrow(_BY_ID, int(key))
    if row is None or "lifecycle" not in row["settings"]:
        return GONE
    assert run.runtime is not None
    now, day = datetime.now(UTC), run.runtime.cloud.storage_day
    await _Bucket(run, run.runtime.cloud, buckets.of_row(row), now).all()
    next_midnight = clock.midnight(now, day) + timedelta(seconds=day)
    return Again(max((next_midnight - datetime.now(UTC)).total_seconds(), 0) + _LEAST_WAIT)


class _Bucket:
    """One pass over a bucket. What expires goes before it could be moved."""

    def __init__(self, run: Run, cloud: Cloud, bucket: Bucket, now: datetime) -> None:
        self._run = run
        self._cloud = cloud
        self._bucket = bucket
        self._now = now
        self._day = cloud.storage_day

    async def all(self) -> None:
        """All rules."""
        found = rules.of_bucket(self._bucket)
        for rule in found:
            await self._expire_current(rule)
            await self._expire_noncurrent(rule)
            await self._expire_markers(rule)
            await self._abort(rule)
        moves = [(rule, action) for rule in found for action in rule.document.get("Transitions") or ()]
        for rule, action in sorted(moves, key=lambda move: -WATERFALL.index(move[1]["StorageClass"])):
            await self._move_current(rule, action)
        moves = [(rule, action) for rule in found for action in rule.document.get("NoncurrentVersionTransitions") or ()]
        for rule, action in sorted(moves, key=lambda move: -WATERFALL.index(move[1]["StorageClass"])):
            await self._move_noncurrent(rule, action)

    def _acting(self, db: Unit) -> Context:
        bucket = self._bucket
        return self._run.acting(db, events.SERVICE, bucket.arn, bucket.region, bucket.account_id)

    async def _pages(self, page: Page) -> AsyncIterator[list[Any]]:
        """Portions of rows, by key."""
        after: bytes | None = None
        while True:
            async with self._run.step() as db:
                rows = await page(db, after)
            if not rows:
                return
            after = rows[-1]["key"]
            yield rows

    async def _expire_current(self, rule: Rule) -> None:
        before = rules.cutoff(rule.document.get("Expiration") or {}, self._now, self._day)
        if before is None:
            return
        async for rows in self._pages(lambda db, after: queries.current(db, self._bucket.id, rule, after, before)):
            if self._bucket.versioning is None:
                await self._drop(rows)
            else:
                for row in rows:
                    await self._mark(row)

    async def _drop(self, rows: list[Any]) -> None:
        async with self._run.step() as db:
            acting = self._acting(db)
            dropped = await queries.drop(db, self._bucket.id, rows)
            storing.discard(acting, dropped)
            for row in dropped:
                await events.note(acting, self._bucket, "LifecycleExpiration:Delete", row["key"], row)

    async def _mark(self, row: Any) -> None:
        """Put a delete marker before a version, unless another has come meanwhile."""
        async with self._run.step() as db:
            acting = self._acting(db)
            await storing.lock(db, self._bucket.id, row["key"])
            current = await stored.current(db, self._bucket.id, row["key"])
            if current is None or current["place"] != row["place"]:
                return
            made = await storing.delete_current(acting, self._bucket, row["key"])
            facts = {"version": None if made == "null" else made}
            await events.note(acting, self._bucket, "LifecycleExpiration:DeleteMarkerCreated", row["key"], facts)

    async def _expire_noncurrent(self, rule: Rule) -> None:
        action = rule.document.get("NoncurrentVersionExpiration") or {}
        before = rules.cutoff(action, self._now, self._day, "NoncurrentDays")
        if before is None:
            return
        newer = action.get("NewerNoncurrentVersions") or 0
        async for rows in self._stacks(
            rule, lambda db, keys: queries.noncurrent(db, self._bucket.id, keys, rule, newer, before)
        ):
            for row in rows:
                await self._remove(row)

    async def _stacks(
        self, rule: Rule, due: Callable[[Unit, list[bytes]], Awaitable[list[Any]]]
    ) -> AsyncIterator[list[Any]]:
        after: bytes | None = None
        while True:
            async with self._run.step() as db:
                keys = await queries.keys(db, self._bucket.id, rule, after)
                rows = await due(db, keys) if keys else []
            if not keys:
                return
            after = keys[-1]
            yield rows

    async def _expire_markers(self, rule: Rule) -> None:
        """Delete markers with nothing behind them go at once where the rule says so, else as old as an object."""
        action = rule.document.get("Expiration") or {}
        before = rules.cutoff(action, self._now, self._day)
        if action.get("ExpiredObjectDeleteMarker"):
            before = self._now
        if before is None or rule.tags or self._bucket.versioning is None:
            return
        found = before
        async for rows in self._pages(lambda db, after: queries.lone_markers(db, self._bucket.id, rule, after, found)):
            for row in rows:
                await self._remove(row)

    async def _remove(self, named: Any) -> None:
        """Remove a version for good, unless it is locked or current by now."""
        async with self._run.step() as db:
            acting = self._acting(db)
            await storing.lock(db, self._bucket.id, named["key"])
            row = await stored.version(db, self._bucket.id, named["key"], named["version"], named["place"])
            current = await stored.current(db, self._bucket.id, named["key"])
            if row is None or row["place"] != named["place"] or (current and current["place"] == row["place"]):
                return
            if row["legal_hold"] or (row["lock_until"] is not None and row["lock_until"] > datetime.now(UTC)):
                return
            await storing.delete_version(acting, self._bucket, row)
            await events.note(acting, self._bucket, "LifecycleExpiration:Delete", row["key"], row)

    async def _abort(self, rule: Rule) -> None:
        action = rule.document.get("AbortIncompleteMultipartUpload") or {}
        before = rules.cutoff(action, self._now, self._day, "DaysAfterInitiation")
        if before is None:
            return
        while True:
            async with self._run.step() as db:
                ids = await queries.uploads(db, self._bucket.id, rule, before)
                for id in ids:
                    upload = await uploads.lock(db, id)
                    if upload is None or upload["completed"] is not None:
                        continue
                    dropped = await uploads.drop(db, id)
                    parts = [{"blob": row["blob"], "upload_id": None} for row in dropped or ()]
                    storing.discard(self._acting(db), parts)
            if len(ids) < queries.PORTION:
                return

    async def _move_current(self, rule: Rule, action: Any) -> None:
        before = rules.cutoff(action, self._now, self._day)
        if before is None:
            return
        target = action["StorageClass"]
        above, least = _above(target), rules.least_size(self._cloud, self._bucket, rule, target)
        async for rows in self._pages(
            lambda db, after: queries.current_to_move(db, self._bucket.id, rule, after, before, above, least)
        ):
            await self._move(rows, target)

    async def _move_noncurrent(self, rule: Rule, action: Any) -> None:
        before = rules.cutoff(action, self._now, self._day, "NoncurrentDays")
        if before is None:
            return
        target, newer = action["StorageClass"], action.get("NewerNoncurrentVersions") or 0
        above, least = _above(target), rules.least_size(self._cloud, self._bucket, rule, target)
        async for rows in self._stacks(
            rule,
            lambda db, keys: queries.noncurrent_to_move(db, self._bucket.id, keys, rule, newer, before, above, least),
        ):
            await self._move(rows, target)

    async def _move(self, rows: list[Any], target: str) -> None:
        for row in rows:
            if await moving.move(self._run, self._bucket.id, row["key"], row["version"], row["place"], target):
                async with self._run.step() as db:
                    await events.note(self._acting(db), self._bucket, "LifecycleTransition", row["key"], row)


def _above(storage_class: str) -> list[str]:
    """The classes from which objects move down to one."""
    return list(WATERFALL[: WATERFALL.index(storage_class)])
