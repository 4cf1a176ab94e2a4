"""Runs batch jobs, a task at a time, with the role that the job's owner named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from controlplane.access.assuming import assume
from controlplane.core.context import Context, Unit
from controlplane.core.errors import AwsError
from controlplane.core.portable import native
from controlplane.services.s3control import queries
from controlplane.services.s3control.batch import ENDED, JOB, SERVICE, manifests, reports, tasks
from controlplane.services.s3control.batch.manifests import BadManifest
from controlplane.work.reconciler import GONE, Again, Outcome, Run, reconciler

_TRIED, _FAILED_OF_THEM = 1000, 0.5
"""A job fails when so many of its tasks were tried and more than this share was in vain."""
_AT_A_TIME = 1000
_SESSION = "s3-batch"


@reconciler(JOB)
async def run_job(run: Run, key: str) -> Outcome:
    """Bring a job forward: its manifest is read, its tasks are tried in order, its report is written."""
    async with run.step() as db:
        row = await queries.job(db, key)
    if row is None or row["status"] in ENDED or row["status"] == "Suspended":
        return GONE
    try:
        return await _advance(run, row)
    except BadManifest as error:
        failure = [error.code, str(error)]
    except AwsError as error:  # the role cannot be had, or the report not be written
        failure = [error.code, error.message]
    async with run.step() as db:
        await queries.forget_results(db, row["id"])
        await queries.move(db, row["id"], row["status"], "Failed", failure=failure)
    return GONE


async def _advance(run: Run, row: Any) -> Outcome:
    status = row["status"]
    if status == "Cancelling":
        return await _end(run, row, "Cancelled")
    if status in ("New", "Preparing", "Ready", "Active"):
        async with run.step() as db:
            ctx = await _acting(run, db, row)
            total, objects = await manifests.read(ctx, row["manifest"], row["done"], _AT_A_TIME)
        if status in ("New", "Preparing"):
            await _move(run, row, "Suspended" if row["confirmation"] else "Active", total=total)
            return GONE if row["confirmation"] else Again(0)
        if status == "Ready":
            await _move(run, row, "Active")
            return Again(0)
        return await _work(run, row, ctx, objects, total)
    return await _end(run, row, "Complete" if status == "Completing" else "Failed")


async def _move(run: Run, row: Any, status: str, **more: Any) -> None:
    async with run.step() as db:
        await queries.move(db, row["id"], row["status"], status, **more)


async def _acting(run: Run, db: Unit, row: Any) -> Context:
    arn = f"arn:aws:s3:{row['region']}:{row['account_id']}:job/{row['id']}"
    return await assume(run.acting(db, SERVICE, arn), row["role_arn"], _SESSION)


async def _work(run: Run, row: Any, ctx: Context, objects: list[dict[str, str]], total: int) -> Outcome:
    """Try some of the tasks that are left, in one session of the role."""
    failed, operation = row["failed"], native(row["operation"])
    for number, named in enumerate(objects, row["done"]):
        went_well = await _try(run, row, ctx, tasks.request_for(operation, named), number, named)
        if went_well is None:
            return Again(0)
        failed += not went_well
        if number + 1 >= _TRIED and failed > _FAILED_OF_THEM * (number + 1):
            await _move(run, row, "Failing", failure=["JobFailureRateExceeded", "More than half of the tasks failed."])
            return Again(0)
    if row["done"] + len(objects) >= total:
        await _move(run, row, "Completing")
    return Again(0)


async def _try(
    run: Run, row: Any, ctx: Context, request: tasks.Request, number: int, named: dict[str, str]
) -> bool | None:
    """Whether a task went well; None where the job is not active any more. Its effect and its count are one step."""
    kept = bool(row["report"].get("Enabled"))
    try:
        async with run.step() as db:
            line = reports.line(named, "succeeded", "", 200, "Successful")
            every = kept and row["report"].get("ReportScope") != reports.FAILED_ONLY
            if not await queries.step(db, row, number, line, failed=False, kept=every):
                return None
            await replace(ctx, db=db).call("s3", *request)
            return True
    except AwsError as error:
        line = reports.line(named, "failed", error.code, error.status, error.message)
        async with run.step() as db:
            if not await queries.step(db, row, number, line, failed=True, kept=kept):
                return None
        return False


async def _end(run: Run, row: Any, status: str) -> Outcome:
    async with run.step() as db:
        if row["report"].get("Enabled"):
            await reports.write(await _acting(run, db, row), row, await queries.results(db, row["id"]))
        await queries.forget_results(db, row["id"])
        await queries.move(db, row["id"], row["status"], status)
    return GONE


@reconciler("s3control.old-jobs", every=3600.0, standing=True)
async def forget_old_jobs(run: Run, key: str) -> Outcome:
    """Jobs are told of for 90 days after their end."""
    async with run.step() as db:
        await queries.drop_old(db)
    return None
