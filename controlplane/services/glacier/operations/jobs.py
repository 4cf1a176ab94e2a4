"""Jobs: retrievals of archives and of inventories, and their output."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from controlplane.core import storage_clock as clock
from controlplane.core.context import Context
from controlplane.core.operation import Request, operation
from controlplane.engines.blobs.packing import SealedReader
from controlplane.services.glacier import queries
from controlplane.services.glacier.archives import description_of, new_id
from controlplane.services.glacier.errors import (
    InvalidParameterValueException,
    MissingParameterValueException,
    PolicyEnforcedException,
    ResourceNotFoundException,
)
from controlplane.services.glacier.jobs import ARCHIVE, DONE, FAILED, INVENTORY, KIND, RUNNING, in_thread
from controlplane.services.glacier.operations.archives import marker_of, position_of
from controlplane.services.glacier.operations.vaults import check_topic
from controlplane.services.glacier.tree_hash import MIB
from controlplane.services.glacier.vaults import (
    Vault,
    account_of,
    limit_of,
    master_of,
    moment_of,
    on_account,
    on_vault,
    the_vault,
    told,
)

_PAGE = 50
_HOUR = 3600.0
_SECONDS = {"Expedited": 180.0, "Standard": 4 * _HOUR, "Bulk": 8 * _HOUR}
_ACTIONS = {"archive-retrieval": ARCHIVE, "inventory-retrieval": INVENTORY}
_RANGE = re.compile(r"(\d{1,15})-(\d{1,15})")
_OUTPUT_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")
_BLOCK = MIB
_NO_LIMIT: list[dict[str, Any]] = [{"Strategy": "None"}]


@operation("InitiateJob", on=on_vault)
async def initiate_job(ctx: Context, request: Request) -> dict[str, Any]:
    """Ask for an archive or for an inventory. Raises InvalidParameterValueException, ResourceNotFoundException."""
    vault, given = the_vault(ctx), request.get("jobParameters") or {}
    action = _ACTIONS.get(given.get("Type") or "")
    if action is None:
        raise InvalidParameterValueException(f"Invalid job type: {str(given.get('Type'))[:64]}")
    tier = given.get("Tier") or "Standard"
    if tier not in _SECONDS:
        raise InvalidParameterValueException(f"Invalid tier: {tier[:64]}")
    if given.get("SNSTopic"):
        check_topic(given["SNSTopic"])
    parameters = {name: value for name, value in given.items() if name not in ("SelectParameters", "OutputLocation")}
    parameters |= {"Tier": tier, "Description": description_of(given.get("Description")) or None}
    archive = await _archive(ctx, vault, given) if action == ARCHIVE else None
    if action == INVENTORY:
        _check_inventory(given)
    id, wait = new_id(69), clock.scaled(_SECONDS[tier], ctx.cloud.storage_day)
    await ctx.db.insert(
        "glacier_jobs",
        id=id, account_id=vault.account_id, vault_id=vault.id, action=action, parameters=parameters, archive=archive,
        status=RUNNING, due_at=datetime.now(UTC) + wait,
    )  # fmt: skip
    await ctx.wake(KIND, id, wait.total_seconds())
    return {"location": f"{vault.path}/jobs/{id}", "jobId": id}


async def _archive(ctx: Context, vault: Vault, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a job needs to know of its archive: the archive may be deleted before the job is over."""
    if not given.get("ArchiveId"):
        raise MissingParameterValueException("Archive ID is required")
    row = await queries.archive(ctx.db, vault.id, given["ArchiveId"])
    if row is None:
        raise ResourceNotFoundException(f"The archive ID was not found: {given['ArchiveId'][:256]}")
    start, end = 0, row["size"]
    if text := given.get("RetrievalByteRange"):
        match = _RANGE.fullmatch(text)
        start, end = (int(match[1]), int(match[2]) + 1) if match else (1, 0)
        whole = end % MIB == 0 or end == row["size"]
        if start % MIB or not whole or not start < end <= row["size"]:
            raise InvalidParameterValueException(f"Invalid retrieval byte range: {text[:64]}: not megabyte aligned")
    await _within_policy(ctx, vault, end - start)
    return {
        "id": row["id"], "size": row["size"], "tree_hash": row["tree_hash"], "description": row["description"],
        "start": start, "end": end, "wanted": end - start,
    }  # fmt: skip


async def _within_policy(ctx: Context, vault: Vault, wanted: int) -> None:
    """What the account's policy bounds, is bounded over an hour. Raises PolicyEnforcedException."""
    rules = await queries.retrieval_rules(ctx.db, vault.account_id, vault.region) or _NO_LIMIT
    if rules[0].get("Strategy") != "BytesPerHour":
        return
    hour = clock.scaled(_HOUR, ctx.cloud.storage_day)
    used = await queries.retrieved(ctx.db, vault.account_id, vault.region, datetime.now(UTC) - hour)
    if used + wanted > rules[0]["BytesPerHour"]:
        raise PolicyEnforcedException("Your retrieval would exceed the data retrieval policy's rate")


def _check_inventory(given: Mapping[str, Any]) -> None:
    if given.get("Format") not in (None, "JSON", "CSV"):
        raise InvalidParameterValueException(f"Invalid format: {str(given['Format'])[:64]}")
    filters = given.get("InventoryRetrievalParameters") or {}
    for name in ("StartDate", "EndDate"):
        if filters.get(name):
            try:
                moment_of(filters[name])
            except ValueError as error:
                raise InvalidParameterValueException(f"Invalid {name}: {filters[name][:64]}") from error
    limit = filters.get("Limit")
    if limit is not None and not re.fullmatch(r"[1-9][0-9]{0,8}", str(limit)):
        raise InvalidParameterValueException(f"Invalid Limit: {str(limit)[:64]}")
    position_of(filters.get("Marker"))


async def _job(ctx: Context, request: Request) -> Any:
    row = await queries.job(ctx.db, the_vault(ctx).id, request["jobId"])
    if row is None:
        raise ResourceNotFoundException(f"The job ID was not found: {request['jobId'][:256]}")
    return row


@operation("DescribeJob", on=on_vault)
async def describe_job(ctx: Context, request: Request) -> dict[str, Any]:
    """A job and how it goes. Raises ResourceNotFoundException."""
    return described(the_vault(ctx), await _job(ctx, request))


def described(vault: Vault, row: Any) -> dict[str, Any]:
    """A job as answers and notifications tell it."""
    given, archive = row["parameters"], row["archive"]
    found: dict[str, Any] = {
        "JobId": row["id"],
        "JobDescription": given.get("Description"),
        "Action": row["action"],
        "VaultARN": vault.arn,
        "CreationDate": told(row["created_at"]),
        "Completed": row["status"] != RUNNING,
        "StatusCode": row["status"],
        "StatusMessage": row["message"],
        "SNSTopic": given.get("SNSTopic"),
        "CompletionDate": told(row["completed_at"]) if row["completed_at"] else None,
        "Tier": given["Tier"],
    }
    if archive is not None:
        found |= {
            "ArchiveId": archive["id"],
            "ArchiveSizeInBytes": archive["size"],
            "ArchiveSHA256TreeHash": archive["tree_hash"],
            "RetrievalByteRange": f"{archive['start']}-{archive['end'] - 1}",
            "SHA256TreeHash": row["tree_hash"],
        }
    else:
        filters = given.get("InventoryRetrievalParameters") or {}
        found["InventoryRetrievalParameters"] = {**filters, "Format": given.get("Format") or "JSON"}
        found["InventorySizeInBytes"] = row["size"]
    return {name: value for name, value in found.items() if value is not None}


@operation("ListJobs", on=on_vault)
async def list_jobs(ctx: Context, request: Request) -> dict[str, Any]:
    """A page of a vault's jobs. Raises InvalidParameterValueException."""
    vault, most, status = the_vault(ctx), limit_of(request, _PAGE), request.get("statuscode")
    if status not in (None, RUNNING, DONE, FAILED):
        raise InvalidParameterValueException(f"Invalid status code: {str(status)[:64]}")
    if request.get("completed") not in (None, "true", "false"):
        raise InvalidParameterValueException("completed is true or false")
    completed = None if request.get("completed") is None else request["completed"] == "true"
    rows = await queries.jobs(ctx.db, vault.id, status, completed, position_of(request.get("marker")), most + 1)
    answer: dict[str, Any] = {"JobList": [described(vault, row) for row in rows[:most]]}
    return {**answer, "Marker": marker_of(rows[most - 1])} if len(rows) > most else answer


@operation("GetJobOutput", on=on_vault)
async def get_job_output(ctx: Context, request: Request) -> dict[str, Any]:
    """What a job found, or a range of it. Raises InvalidParameterValueException while it is not over."""
    row = await _job(ctx, request)
    if row["status"] != DONE:
        raise InvalidParameterValueException(f"The job is not currently available for download: {row['id']}")
    start, end = 0, row["size"]
    if text := request.get("range"):
        match = _OUTPUT_RANGE.fullmatch(text)
        start = int(match[1]) if match else end
        end = min(end, int(match[2]) + 1) if match and match[2] else end
        if start >= end:
            raise InvalidParameterValueException(f"Invalid range: {text[:64]}")
    whole = (start, end) == (0, row["size"])
    answer: dict[str, Any] = {"acceptRanges": "bytes", "contentType": _type_of(row)}
    if not whole:
        answer["contentRange"] = f"bytes {start}-{end - 1}/{row['size']}"
    if row["archive"] is not None:
        answer["archiveDescription"] = row["archive"]["description"]
        if whole and row["tree_hash"]:
            answer["checksum"] = row["tree_hash"]
    ctx.answer_headers["Content-Length"] = str(end - start)
    ctx.answer_status = 200 if whole else 206
    blocks = _blocks(ctx, row, start, end)
    first = await in_thread(next, blocks)
    return {**answer, "body": _rest(first, blocks)}


def _type_of(row: Any) -> str:
    if row["archive"] is not None:
        return "application/octet-stream"
    return "text/csv" if row["parameters"].get("Format") == "CSV" else "application/json"


def _blocks(ctx: Context, row: Any, start: int, end: int) -> Iterator[bytes]:
    with SealedReader(ctx.engine("blobs"), row["blob"], row["salt"], master_of(ctx)) as sealed:
        for place in range(start, end, _BLOCK):
            yield sealed.read(place, min(_BLOCK, end - place))


async def _rest(first: bytes, blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    while (block := await in_thread(next, blocks, None)) is not None:
        yield block


@operation("GetDataRetrievalPolicy", on=on_account)
async def get_data_retrieval_policy(ctx: Context, request: Request) -> dict[str, Any]:
    """How much the account retrieves."""
    found = await queries.retrieval_rules(ctx.db, account_of(ctx, request), ctx.region)
    return {"Policy": {"Rules": found or _NO_LIMIT}}


@operation("SetDataRetrievalPolicy", on=on_account)
async def set_data_retrieval_policy(ctx: Context, request: Request) -> None:
    """Bound how much the account retrieves. Raises InvalidParameterValueException."""
    rules = (request.get("Policy") or {}).get("Rules") or []
    if len(rules) != 1 or rules[0].get("Strategy") not in ("BytesPerHour", "FreeTier", "None"):
        raise InvalidParameterValueException("Invalid data retrieval policy: one rule with a strategy is needed")
    if (rules[0]["Strategy"] == "BytesPerHour") != bool((rules[0].get("BytesPerHour") or 0) > 0):
        raise InvalidParameterValueException("BytesPerHour goes with the strategy BytesPerHour, and is positive")
    if request["accountId"] not in ("-", ctx.account_id):
        raise InvalidParameterValueException("The policy of another account cannot be set")
    await queries.put_retrieval_rules(ctx.db, ctx.account_id, ctx.region, [dict(rules[0])])
