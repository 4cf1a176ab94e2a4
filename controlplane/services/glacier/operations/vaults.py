"""Vaults: made, told, listed, deleted; their tags, notifications and policies."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from controlplane.access.policy.grammar import MalformedPolicy, validate_resource
from controlplane.core import storage_clock as clock
from controlplane.core.context import Context
from controlplane.core.operation import Request, operation
from controlplane.services.glacier import queries
from controlplane.services.glacier.archives import discard
from controlplane.services.glacier.errors import (
    InvalidParameterValueException,
    LimitExceededException,
    MissingParameterValueException,
    ResourceNotFoundException,
)
from controlplane.services.glacier.vaults import Vault, limit_of, of_row, on_account, on_vault, the_vault, told

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_PAGE = 10
_MOST_TAGS = 50
_MOST_VAULTS = 1000
_LONGEST_POLICY = 20 * 1024
_EVENTS = ("ArchiveRetrievalCompleted", "InventoryRetrievalCompleted")
_DAY = 86400.0


@operation("CreateVault", on=on_vault)
async def create_vault(ctx: Context, request: Request) -> dict[str, Any]:
    """Make a vault; one that is there stays as it is. Raises InvalidParameterValueException, LimitExceededException."""
    name = request["vaultName"]
    if request["accountId"] not in ("-", ctx.account_id):
        raise ResourceNotFoundException(f"Vault not found for ARN: {ctx.resources[0].arn}")
    if not _NAME.fullmatch(name):
        raise InvalidParameterValueException(f"Invalid vault name: {name[:256]}")
    if ctx.resources[0].row is None:
        if await queries.count_vaults(ctx) >= _MOST_VAULTS:
            raise LimitExceededException(f"You have reached the limit of {_MOST_VAULTS} vaults.")
        await queries.make_vault(ctx, name)
    return {"location": f"/{ctx.account_id}/vaults/{name}"}


@operation("DescribeVault", on=on_vault)
async def describe_vault(ctx: Context, request: Request) -> dict[str, Any]:
    """A vault and what is in it. Raises ResourceNotFoundException."""
    vault = the_vault(ctx)
    return _described((await queries.vaults(ctx.db, vault.account_id, vault.region, "", 1, vault.name))[0])


def _described(row: Any) -> dict[str, Any]:
    vault = of_row(row)
    found: dict[str, Any] = {
        "VaultARN": vault.arn,
        "VaultName": vault.name,
        "CreationDate": told(vault.created_at),
        "NumberOfArchives": row["archives"],
        "SizeInBytes": row["size"],
    }
    return {**found, "LastInventoryDate": told(datetime.now(UTC))} if row["archives"] else found


@operation("ListVaults", on=on_account)
async def list_vaults(ctx: Context, request: Request) -> dict[str, Any]:
    """A page of the caller's vaults by name."""
    if request["accountId"] not in ("-", ctx.account_id):
        raise InvalidParameterValueException("Vaults of another account cannot be listed")
    most = limit_of(request, _PAGE)
    after = (request.get("marker") or "").rpartition("/")[2]
    rows = await queries.vaults(ctx.db, ctx.account_id, ctx.region, after, most + 1)
    answer: dict[str, Any] = {"VaultList": [_described(row) for row in rows[:most]]}
    if len(rows) > most:
        answer["Marker"] = of_row(rows[most - 1]).arn
    return answer


@operation("DeleteVault", on=on_vault)
async def delete_vault(ctx: Context, request: Request) -> None:
    """Delete an empty vault. Raises InvalidParameterValueException."""
    vault = the_vault(ctx)
    held = await queries.drop_vault(ctx.db, vault.id)
    if held is None:
        raise InvalidParameterValueException(f"Vault not empty or recently written to: {vault.arn}")
    discard(ctx, held)


async def _locked(ctx: Context) -> Vault:
    row = await queries.lock_vault(ctx.db, the_vault(ctx).id)
    if row is None:
        raise ResourceNotFoundException(f"Vault not found for ARN: {ctx.resources[0].arn}")
    return of_row(row)


@operation("AddTagsToVault", on=on_vault)
async def add_tags_to_vault(ctx: Context, request: Request) -> None:
    """Add tags or replace their values. Raises LimitExceededException, InvalidParameterValueException."""
    vault, given = await _locked(ctx), request.get("Tags") or {}
    for key, value in given.items():
        if not 1 <= len(key) <= 128 or len(value) > 256 or key.lower().startswith("aws:"):
            raise InvalidParameterValueException(f"Invalid tag: {key[:128]}")
    tags = {**vault.tags, **given}
    if len(tags) > _MOST_TAGS:
        raise LimitExceededException(f"The number of tags exceeds the limit of {_MOST_TAGS}.")
    await queries.put(ctx.db, vault.id, "tags", tags)


@operation("ListTagsForVault", on=on_vault)
async def list_tags_for_vault(ctx: Context, request: Request) -> dict[str, Any]:
    """A vault's tags."""
    return {"Tags": dict(the_vault(ctx).tags)}


@operation("RemoveTagsFromVault", on=on_vault)
async def remove_tags_from_vault(ctx: Context, request: Request) -> None:
    """Take tags away."""
    vault, gone = await _locked(ctx), set(request.get("TagKeys") or ())
    await queries.put(ctx.db, vault.id, "tags", {key: text for key, text in vault.tags.items() if key not in gone})


@operation("SetVaultNotifications", on=on_vault)
async def set_vault_notifications(ctx: Context, request: Request) -> None:
    """Say which topic is told of jobs that are over. Raises InvalidParameterValueException."""
    given = request.get("vaultNotificationConfig") or {}
    topic, events = given.get("SNSTopic"), given.get("Events") or []
    if not topic or not events:
        raise MissingParameterValueException("SNSTopic and Events are required")
    check_topic(topic)
    if any(event not in _EVENTS for event in events):
        raise InvalidParameterValueException(f"Invalid event; valid ones are {', '.join(_EVENTS)}")
    await queries.put(ctx.db, the_vault(ctx).id, "notifications", {"SNSTopic": topic, "Events": list(events)})


def check_topic(topic: str) -> None:
    """Raises InvalidParameterValueException where it is no topic's ARN."""
    parts = topic.split(":")
    if len(parts) != 6 or parts[2] != "sns" or not all(parts[3:]):
        raise InvalidParameterValueException(f"Invalid SNS topic ARN: {topic[:256]}")


@operation("GetVaultNotifications", on=on_vault)
async def get_vault_notifications(ctx: Context, request: Request) -> dict[str, Any]:
    """Which topic is told. Raises ResourceNotFoundException."""
    vault = the_vault(ctx)
    if vault.notifications is None:
        raise ResourceNotFoundException(f"No notification configuration is set for vault: {vault.arn}")
    return {"vaultNotificationConfig": dict(vault.notifications)}


@operation("DeleteVaultNotifications", on=on_vault)
async def delete_vault_notifications(ctx: Context, request: Request) -> None:
    """Tell nobody."""
    await queries.put(ctx.db, the_vault(ctx).id, "notifications", None)


def _policy_of(given: Mapping[str, Any] | None) -> str:
    """The text of a policy. Raises InvalidParameterValueException, MissingParameterValueException."""
    text = (given or {}).get("Policy")
    if not text:
        raise MissingParameterValueException("A policy is required")
    if len(text.encode()) > _LONGEST_POLICY:
        raise InvalidParameterValueException("Policy size limit exceeded")
    try:
        validate_resource(text)
    except MalformedPolicy as error:
        raise InvalidParameterValueException(f"Invalid vault access policy: {error}") from error
    return str(text)


@operation("SetVaultAccessPolicy", on=on_vault)
async def set_vault_access_policy(ctx: Context, request: Request) -> None:
    """Replace the access policy."""
    await queries.put(ctx.db, the_vault(ctx).id, "policy", _policy_of(request.get("policy")))


@operation("GetVaultAccessPolicy", on=on_vault)
async def get_vault_access_policy(ctx: Context, request: Request) -> dict[str, Any]:
    """The access policy. Raises ResourceNotFoundException."""
    vault = the_vault(ctx)
    if vault.policy_text is None:
        raise ResourceNotFoundException(f"No vault access policy is set for: {vault.arn}")
    return {"policy": {"Policy": vault.policy_text}}


@operation("DeleteVaultAccessPolicy", on=on_vault)
async def delete_vault_access_policy(ctx: Context, request: Request) -> None:
    """Have no access policy."""
    await queries.put(ctx.db, the_vault(ctx).id, "policy", None)


@operation("InitiateVaultLock", on=on_vault)
async def initiate_vault_lock(ctx: Context, request: Request) -> dict[str, Any]:
    """Try a lock policy for a day. Raises InvalidParameterValueException where there is one."""
    vault = await _locked(ctx)
    if vault.held_lock is not None:
        raise InvalidParameterValueException(f"A vault lock policy is set already for: {vault.arn}")
    now = datetime.now(UTC)
    until = now + clock.scaled(_DAY, ctx.cloud.storage_day)
    lock = {"policy": _policy_of(request.get("policy")), "id": secrets.token_urlsafe(24), "since": now.isoformat()}
    await queries.put(ctx.db, vault.id, "lock", {**lock, "until": until.isoformat()})
    return {"lockId": lock["id"]}


@operation("CompleteVaultLock", on=on_vault)
async def complete_vault_lock(ctx: Context, request: Request) -> None:
    """Lock for ever. Raises InvalidParameterValueException, ResourceNotFoundException."""
    vault = await _locked(ctx)
    lock = _the_lock(vault)
    if lock["id"] != request["lockId"]:
        raise InvalidParameterValueException("The lock ID is not the one of this vault's lock")
    await queries.put(ctx.db, vault.id, "lock", {**lock, "until": None})


def _the_lock(vault: Vault) -> Mapping[str, Any]:
    if vault.held_lock is None:
        raise ResourceNotFoundException(f"No vault lock policy is set for: {vault.arn}")
    return vault.held_lock


@operation("AbortVaultLock", on=on_vault)
async def abort_vault_lock(ctx: Context, request: Request) -> None:
    """Forget a lock policy that is being tried. Raises InvalidParameterValueException where it is locked."""
    vault = await _locked(ctx)
    if vault.held_lock is not None and vault.held_lock["until"] is None:
        raise InvalidParameterValueException(f"The vault is locked: {vault.arn}")
    await queries.put(ctx.db, vault.id, "lock", None)


@operation("GetVaultLock", on=on_vault)
async def get_vault_lock(ctx: Context, request: Request) -> dict[str, Any]:
    """The lock policy and its state. Raises ResourceNotFoundException."""
    lock = _the_lock(the_vault(ctx))
    answer = {
        "Policy": lock["policy"],
        "State": "InProgress" if lock["until"] else "Locked",
        "CreationDate": told(datetime.fromisoformat(lock["since"])),
    }
    return {**answer, "ExpirationDate": told(datetime.fromisoformat(lock["until"]))} if lock["until"] else answer
