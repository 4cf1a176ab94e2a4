"""Jobs: done when they are due, told of, and forgotten after a day."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from controlplane.core import storage_clock as clock
from controlplane.core.errors import AwsError, EngineMissing
from controlplane.engines.blobs import packing
from controlplane.engines.blobs.holders import holds
from controlplane.services.glacier import queries
from controlplane.services.glacier.jobs import ARCHIVE, DONE, FAILED, KIND, RUNNING, cut, in_thread, inventory
from controlplane.services.glacier.operations.archives import position_of
from controlplane.services.glacier.operations.jobs import described
from controlplane.services.glacier.tree_hash import TreeHash, is_aligned
from controlplane.services.glacier.vaults import Vault, master_of, moment_of, of_row
from controlplane.work.reconciler import GONE, Again, Outcome, Run, reconciler

log = logging.getLogger("celaje.glacier")
holds("glacier_pieces", "glacier_jobs")

_VAULT = "SELECT * FROM glacier_vaults WHERE id = $1"
_SERVICE = "glacier.amazonaws.com"
_DAY = 86400.0
_MOST_LISTED = 10_000_000
_AT_LEAST = 0.05


@reconciler(KIND)
async def work(run: Run, key: str) -> Outcome:
    """Put out what a job is for; forget it when its time is over."""
    async with run.step() as db:
        job = await queries.job_of_key(db, key)
        row = await db.fetchrow(_VAULT, job["vault_id"]) if job is not None else None
    if job is None or row is None:
        return GONE
    now = datetime.now(UTC)
    due = job["due_at"] if job["status"] == RUNNING else job["expires_at"]
    if due > now:
        return Again((due - now).total_seconds() + _AT_LEAST)
    if job["status"] != RUNNING:
        return await _forget(run, key)
    vault = of_row(row)
    try:
        output = await _output(run, vault, job)
        status, message = DONE, "Succeeded"
    except EngineMissing:  # the archive was deleted meanwhile
        output, status, message = (None, None, None, None), FAILED, "The archive is no longer there"
    assert run.runtime is not None
    until = datetime.now(UTC) + clock.scaled(_DAY, run.runtime.cloud.storage_day)
    async with run.step() as db:
        done = await queries.finish(db, key, status, message, output, until)
    if done is None:
        if output[2] is not None:
            await run.engine("blobs").delete(output[2])
    else:
        await _tell(run, vault, done)
    return Again((until - datetime.now(UTC)).total_seconds() + _AT_LEAST)


async def _forget(run: Run, key: str) -> Outcome:
    async with run.step() as db:
        held = await queries.drop_job(db, key)
    for row in held:
        if row["blob"] is not None:
            await run.engine("blobs").delete(row["blob"])
    return GONE


async def _output(run: Run, vault: Vault, job: Any) -> tuple[Any, ...]:
    """Size, tree hash, blob and salt."""
    blobs, tree = run.engine("blobs"), TreeHash()
    async with run.step() as db:
        master = master_of(run.acting(db, _SERVICE, vault.arn))
        if job["action"] == ARCHIVE:
            archive = job["archive"]
            pieces = await queries.pieces(db, archive["id"])
            if not pieces:
                raise EngineMissing("no pieces")
        else:
            listing = await _listing(db, job["parameters"].get("InventoryRetrievalParameters") or {}, vault)
    if job["action"] != ARCHIVE:
        body = inventory(vault, listing, job["parameters"].get("Format") or "JSON")
        blob, salt = await in_thread(packing.copy, blobs, iter([body]), master)
        return len(body), None, blob, salt

    def counted() -> Iterator[bytes]:
        for piece in pieces:
            start, end = max(archive["start"], piece["start"]), min(archive["end"], piece["start"] + piece["size"])
            if start < end:
                whole = packing.unpacked(blobs, piece["blob"], piece["facts"], master)
                for block in cut(whole, start - piece["start"], end - start):
                    tree.update(block)
                    yield block

    blob, salt = await in_thread(packing.copy, blobs, counted(), master)
    hashed = is_aligned(archive["start"], archive["end"], archive["size"])
    return tree.size, tree.text if hashed else None, blob, salt


async def _listing(db: Any, filters: Any, vault: Vault) -> list[Any]:
    since, before = (moment_of(filters[name]) if filters.get(name) else None for name in ("StartDate", "EndDate"))
    most = int(filters.get("Limit") or _MOST_LISTED)
    return await queries.archives(db, vault.id, since, before, position_of(filters.get("Marker")), most)


async def _tell(run: Run, vault: Vault, job: Any) -> None:
    """Tell the job's topic, and the vault's if it wants to know."""
    topics = {job["parameters"].get("SNSTopic")}
    held = vault.notifications or {}
    if f"{job['action']}Completed" in held.get("Events", ()):
        topics.add(held["SNSTopic"])
    text = orjson.dumps(described(vault, job)).decode()
    for topic in sorted(filter(None, topics)):
        async with run.step() as db:
            acting = run.acting(db, _SERVICE, vault.arn)
            request = {"TopicArn": topic, "Message": text, "Subject": "Notification From Amazon Glacier Service"}
            try:
                await acting.call("sns", "Publish", request)
            except AwsError as error:
                log.info("%s does not take the end of a job of %s: %s", topic, vault.name, error.code)
