"""The vault that a request names, and what the policy engine is asked about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from controlplane.core.arn import arn
from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.services.glacier import queries
from controlplane.services.glacier.errors import (
    InvalidParameterValueException,
    ResourceNotFoundException,
)

PURPOSE = "glacier-archives"
TIER = "GLACIER"
_NOBODY = "000000000000"


@dataclass(frozen=True, slots=True)
class Vault:
    """A vault as its row says."""

    id: int
    account_id: str
    region: str
    name: str
    policy_text: str | None
    lock: Mapping[str, Any] | None
    notifications: Mapping[str, Any] | None
    tags: Mapping[str, str]
    created_at: datetime

    @property
    def arn(self) -> str:
        return arn("glacier", self.region, self.account_id, f"vaults/{self.name}")

    @property
    def path(self) -> str:
        return f"/{self.account_id}/vaults/{self.name}"

    @property
    def held_lock(self) -> Mapping[str, Any] | None:
        """The lock policy, unless it was never completed and its time is over."""
        if self.lock and self.lock["until"] and datetime.fromisoformat(self.lock["until"]) <= datetime.now(UTC):
            return None
        return self.lock

    @property
    def policy(self) -> dict[str, Any] | None:
        """The access policy together with the lock policy."""
        texts = [text for text in (self.policy_text, (self.held_lock or {}).get("policy")) if text]
        statements: list[Any] = []
        for text in texts:
            found = orjson.loads(text)["Statement"]
            statements += found if isinstance(found, list) else [found]
        return {"Version": "2012-10-17", "Statement": statements} if statements else None


def account_of(ctx: Context, request: Mapping[str, Any]) -> str:
    """The account that a path names; `-` is the caller's. What is no id is an account that nobody has."""
    named = request["accountId"]
    if named == "-":
        return ctx.account_id
    if len(named) != 12 or not named.isdigit():
        return _NOBODY
    return str(named)


async def on_vault(ctx: Context, request: Any) -> Resource:
    """The request's vault; `row` is None where it is not there."""
    account = account_of(ctx, request)
    row = await queries.vault(ctx.db, account, ctx.region, request["vaultName"])
    name = arn("glacier", ctx.region, account, f"vaults/{request['vaultName']}")
    if row is None:
        return Resource(name)
    vault = of_row(row)
    tags = {f"glacier:ResourceTag/{key}": value for key, value in vault.tags.items()}
    return Resource(name, vault.tags, vault.policy, tags, vault)


async def on_archive(ctx: Context, request: Any) -> Resource:
    """The request's vault, with the age of the archive: lock policies keep young ones from being deleted."""
    found = await on_vault(ctx, request)
    vault = found.row
    if vault is None:
        return found
    archive = await queries.archive(ctx.db, vault.id, request["archiveId"])
    if archive is None:
        return found
    days = int((datetime.now(UTC) - archive["created_at"]).total_seconds() / ctx.cloud.storage_day)
    conditions = {**found.conditions, "glacier:ArchiveAgeInDays": str(days)}
    return Resource(found.arn, found.tags, found.policy, conditions, vault)


def on_account(ctx: Context, request: Any) -> Resource:
    """All of an account, which must be the caller's own."""
    account = account_of(ctx, request)
    return Resource(arn("glacier", ctx.region, account, "vaults/*"))


def of_row(row: Any) -> Vault:
    """The vault of a row."""
    return Vault(
        row["id"], row["account_id"], row["region"], row["name"], row["policy"], row["lock"], row["notifications"],
        row["tags"], row["created_at"],
    )  # fmt: skip


def the_vault(ctx: Context) -> Vault:
    """The vault that permission was asked for. Raises ResourceNotFoundException."""
    resource = ctx.resources[0]
    if resource.row is None:
        raise ResourceNotFoundException(f"Vault not found for ARN: {resource.arn}")
    found: Vault = resource.row
    return found


def told(moment: datetime) -> str:
    """A time as Glacier tells it."""
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def moment_of(text: str) -> datetime:
    """A time that a request names, in UTC where it does not say. Raises ValueError."""
    found = datetime.fromisoformat(text)
    try:
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(text) from error


def limit_of(request: Mapping[str, Any], default: int, most: int = 1000) -> int:
    """How long a page is. Raises InvalidParameterValueException."""
    text = request.get("limit")
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", str(text)) or not 1 <= int(text) <= most:
        raise InvalidParameterValueException(f"Invalid limit: {str(text)[:64]}")
    return min(int(text), default)


def master_of(ctx: Context) -> bytes:
    """The key that archives lie under."""
    key: bytes = ctx.engine("sealing").derive(PURPOSE)
    return key
