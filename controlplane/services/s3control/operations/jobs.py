"""Batch jobs: made, told of, confirmed and cancelled."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from controlplane.core.arn import bucket_of, object_of
from controlplane.core.context import Context
from controlplane.core.errors import NotImplementedByCelaje
from controlplane.core.operation import ANY, Request, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.core.portable import native, portable
from controlplane.services.s3control import queries
from controlplane.services.s3control.accounts import check_account
from controlplane.services.s3control.batch import ENDED, JOB, SERVICE, manifests, reports, tasks
from controlplane.services.s3control.errors import (
    BadRequestException,
    InvalidRequest,
    JobStatusException,
    NotFoundException,
    TooManyRequestsException,
)

_PAGE = 1000
_MOST_TAGS = 50
_MOST_OPEN = 1000


def _on_job(ctx: Context, request: Mapping[str, Any]) -> str:
    return f"arn:aws:s3:{ctx.region}:{ctx.account_id}:job/{request['JobId']}"


@operation("CreateJob", on=ANY)
async def create_job(ctx: Context, request: Request) -> dict[str, Any]:
    """Have an operation done on all objects of a manifest. Raises BadRequestException, TooManyRequestsException."""
    check_account(ctx, request)
    wanted = {name: value for name, value in request["Operation"].items() if value is not None}
    if len(wanted) != 1:
        raise BadRequestException("Request must name one operation.")
    (kind,) = wanted
    if kind not in tasks.OPERATIONS:
        raise NotImplementedByCelaje(f"Batch jobs with {kind} are not implemented by this cloud.")
    if unknown := tasks.IGNORED & {name for name, value in wanted[kind].items() if value}:
        raise NotImplementedByCelaje(f"Batch jobs with {', '.join(sorted(unknown))} are not implemented by this cloud.")
    if request.get("ManifestGenerator") is not None:
        raise NotImplementedByCelaje("Manifests that are generated are not implemented by this cloud.")
    try:
        tasks.check(kind, wanted[kind])
    except ValueError as error:
        raise BadRequestException("The TargetResource of the copies is not the ARN of a bucket.") from error
    manifest = _manifest(request.get("Manifest"))
    report = _report(request["Report"])
    tags = _tags(request.get("Tags"))
    await ctx.pass_role(request["RoleArn"], SERVICE)
    if await queries.open_jobs(ctx.db, ctx.account_id, ctx.region) >= _MOST_OPEN:
        raise TooManyRequestsException(f"An account can have at most {_MOST_OPEN} jobs that have not ended.")
    id = str(uuid.uuid4())
    await queries.insert(
        ctx.db, id, ctx.account_id, ctx.region, request["Priority"], request.get("Description"), request["RoleArn"],
        request.get("ConfirmationRequired") is not False, portable(wanted), manifest, report, tags,
    )  # fmt: skip
    await ctx.wake(JOB, id)
    return {"JobId": id}


def _manifest(given: Mapping[str, Any] | None) -> dict[str, Any]:
    if given is None:
        raise BadRequestException("Request must contain a manifest.")
    spec = given["Spec"]
    if spec["Format"] != manifests.FORMAT:
        raise NotImplementedByCelaje(f"Manifests as {spec['Format']} are not implemented by this cloud.")
    fields = [name for name in spec.get("Fields") or [] if name != "Ignore"]
    if not {"Bucket", "Key"} <= set(fields) or len(set(fields)) != len(fields):
        raise BadRequestException("Fields of the manifest must name Bucket and Key, each once.")
    try:
        object_of(given["Location"]["ObjectArn"])
    except ValueError as error:
        raise BadRequestException("The ObjectArn of the manifest is not valid.") from error
    return dict(given)


def _report(given: Mapping[str, Any]) -> dict[str, Any]:
    if not given["Enabled"]:
        return dict(given)
    try:
        bucket_of(given.get("Bucket") or "")
    except ValueError as error:
        raise BadRequestException("Request must contain the ARN of the report's bucket.") from error
    if given.get("Format") != reports.FORMAT:
        raise BadRequestException("Request must contain the report's format.")
    return dict(given)


def _tags(given: Any) -> dict[str, str]:
    tags = {tag["Key"]: tag["Value"] for tag in given or []}
    if len(tags) != len(given or []):
        raise BadRequestException("Tag keys must be unique.")
    if len(tags) > _MOST_TAGS:
        raise BadRequestException(f"A job can have at most {_MOST_TAGS} tags.")
    return tags


async def _job(ctx: Context, request: Mapping[str, Any]) -> Any:
    check_account(ctx, request)
    row = await queries.own_job(ctx.db, ctx.account_id, ctx.region, request["JobId"])
    if row is None:
        raise NotFoundException("No such job")
    return row


def _summary(row: Any) -> dict[str, Any]:
    seconds = ((row["ended_at"] or datetime.now(UTC)) - row["began_at"]).total_seconds() if row["began_at"] else 0
    told = {
        "JobId": row["id"],
        "Priority": row["priority"],
        "Status": row["status"],
        "CreationTime": row["created_at"],
        "ProgressSummary": {
            "TotalNumberOfTasks": row["total"] or 0,
            "NumberOfTasksSucceeded": row["done"] - row["failed"],
            "NumberOfTasksFailed": row["failed"],
            "Timers": {"ElapsedTimeInActiveSeconds": int(seconds)},
        },
    }
    more = {"Description": row["description"], "TerminationDate": row["ended_at"]}
    return {**told, **{name: value for name, value in more.items() if value is not None}}


@operation("DescribeJob", on=_on_job)
async def describe_job(ctx: Context, request: Request) -> dict[str, Any]:
    """All of a job. Raises NotFoundException."""
    row = await _job(ctx, request)
    told = {
        **_summary(row),
        "JobArn": _on_job(ctx, request),
        "ConfirmationRequired": row["confirmation"],
        "Manifest": row["manifest"],
        "Operation": native(row["operation"]),
        "Report": row["report"],
        "RoleArn": row["role_arn"],
    }
    if row["reason"]:
        told["StatusUpdateReason"] = row["reason"]
    if row["failure"]:
        code, text = row["failure"]
        told["FailureReasons"] = [{"FailureCode": code[:64], "FailureReason": text[:256]}]
    if row["status"] == "Suspended":
        told["SuspendedCause"] = "AwaitingConfirmation"
    return {"Job": told}


@operation("ListJobs", on=ANY)
async def list_jobs(ctx: Context, request: Request) -> dict[str, Any]:
    """The account's jobs, the newest first. Raises InvalidRequest."""
    check_account(ctx, request)
    size = min(request.get("MaxResults") or _PAGE, _PAGE)
    before = _before(request.get("NextToken"))
    rows = await queries.page(ctx.db, ctx.account_id, ctx.region, request.get("JobStatuses") or [], before, size + 1)
    jobs = [{**_summary(row), "Operation": next(iter(row["operation"]))} for row in rows[:size]]
    if len(rows) <= size:
        return {"Jobs": jobs}
    last = rows[size - 1]
    return {"Jobs": jobs, "NextToken": encode_token([last["created_at"].isoformat(), last["id"]])}


def _before(token: str | None) -> tuple[Any, str]:
    if not token:
        return None, ""
    try:
        moment, id = decode_token(token)
        return datetime.fromisoformat(moment), str(id)
    except (ValueError, TypeError) as error:
        raise InvalidRequest("The specified NextToken is not valid.") from error


@operation("UpdateJobPriority", on=_on_job)
async def update_job_priority(ctx: Context, request: Request) -> dict[str, Any]:
    """Give a job another priority. Raises NotFoundException."""
    row = await _job(ctx, request)
    await queries.put_priority(ctx.db, row["id"], request["Priority"])
    return {"JobId": row["id"], "Priority": request["Priority"]}


@operation("UpdateJobStatus", on=_on_job)
async def update_job_status(ctx: Context, request: Request) -> dict[str, Any]:
    """Confirm a job that waits for that (`Ready`), or end one (`Cancelled`). Raises JobStatusException."""
    row = await _job(ctx, request)
    wanted, old = request["RequestedJobStatus"], row["status"]
    possible = old == "Suspended" if wanted == "Ready" else old not in ENDED
    new = "Ready" if wanted == "Ready" else "Cancelling"
    reason = request.get("StatusUpdateReason") or ""
    if not possible or not await queries.ask(ctx.db, row["id"], old, new, reason):
        raise JobStatusException(f"A job that is {old} cannot become {wanted}.")
    await ctx.wake(JOB, row["id"])
    return {"JobId": row["id"], "Status": new, **({"StatusUpdateReason": reason} if reason else {})}


@operation("GetJobTagging", on=_on_job)
async def get_job_tagging(ctx: Context, request: Request) -> dict[str, Any]:
    """A job's tags. Raises NotFoundException."""
    row = await _job(ctx, request)
    return {"Tags": [{"Key": key, "Value": value} for key, value in row["tags"].items()]}


@operation("PutJobTagging", on=_on_job)
async def put_job_tagging(ctx: Context, request: Request) -> None:
    """Replace a job's tags. Raises NotFoundException, BadRequestException."""
    row = await _job(ctx, request)
    await queries.put_tags(ctx.db, row["id"], _tags(request["Tags"]))


@operation("DeleteJobTagging", on=_on_job)
async def delete_job_tagging(ctx: Context, request: Request) -> None:
    """Take a job's tags away. Raises NotFoundException."""
    row = await _job(ctx, request)
    await queries.put_tags(ctx.db, row["id"], {})
