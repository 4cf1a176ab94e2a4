"""Keys as operations use them: found by whatever names them, opened once and kept until something of them changes."""

from __future__ import annotations

import base64
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson

from controlplane.core.arn import Arn, arn
from controlplane.core.context import Context, Unit
from controlplane.core.errors import AwsError
from controlplane.services.kms import material, specs
from controlplane.services.kms.errors import (
    DisabledException,
    InvalidArnException,
    KMSInvalidStateException,
    NotFoundException,
)
from controlplane.services.kms.material import Material
from controlplane.services.kms.queries import keys as queries
from controlplane.services.kms.specs import SPECS, Spec
from controlplane.state.sealing import Sealer

AWS_MANAGED = "AWS"
EXTERNAL = "EXTERNAL"

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}")
_ALIAS = re.compile(r"alias/[a-zA-Z0-9/_-]+")
_STATES = {
    "PendingDeletion": "is pending deletion.",
    "PendingImport": "is pending import.",
    "PendingReplicaDeletion": "is pending replica deletion.",
}

_MOST = 4096

_opened: OrderedDict[tuple[str, str], tuple[Any, Key]] = OrderedDict()
"""Keys with the row that each was made of. The cache of reads says when a row is no longer true."""


@dataclass
class Key:
    """A key with its aliases, grants and opened material. Shared by requests: nobody changes it."""

    id: str
    region: str
    account_id: str
    created_at: datetime
    description: str
    manager: str
    spec: Spec
    usage: str
    origin: str
    state: str
    policy: str
    tags: dict[str, str]
    primary_region: str | None
    material_id: str | None
    rotation_days: int | None
    rotates_at: datetime | None
    pending_days: int | None
    deleted_at: datetime | None
    aliases: list[str]
    regions: list[str]
    grants: list[dict[str, Any]]
    materials: dict[str, Material]
    imported: dict[str, Any] = field(default_factory=dict)
    """Of the current imported material: `expires`, `valid_to`."""

    @cached_property
    def arn(self) -> str:
        return arn("kms", self.region, self.account_id, f"key/{self.id}")

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The key policy as the engine wants it."""
        return orjson.loads(self.policy)  # type: ignore[no-any-return]

    @cached_property
    def algorithms(self) -> tuple[str, ...]:
        return self.spec.algorithms[self.usage]

    @property
    def is_managed(self) -> bool:
        """Whether the key is a service's own (`alias/aws/…`)."""
        return self.manager == AWS_MANAGED

    @property
    def is_replica(self) -> bool:
        return self.primary_region is not None and self.primary_region != self.region

    @property
    def shown_state(self) -> str:
        """The state, which imported material that has expired changes by itself."""
        if self.state == "Enabled" and (current := self.current) is not None and current.expired:
            return "PendingImport"
        return self.state

    @property
    def current(self) -> Material | None:
        return self.materials.get(self.material_id or "")

    @property
    def in_use(self) -> Material:
        """The material that encrypts and signs. Raises KMSInvalidStateException."""
        found = self.current
        if found is None or found.expired:
            raise KMSInvalidStateException(f"{self.arn} is pending import.")
        return found

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Condition values that only depend on the key."""
        found: dict[str, Any] = {
            "kms:KeySpec": self.spec.name,
            "kms:CustomerMasterKeySpec": self.spec.name,
            "kms:KeyUsage": self.usage,
            "kms:CustomerMasterKeyUsage": self.usage,
            "kms:KeyOrigin": self.origin,
            "kms:MultiRegion": "true" if self.primary_region else "false",
            "kms:ResourceAliases": self.aliases,
        }
        if self.primary_region:
            found["kms:MultiRegionKeyType"] = "REPLICA" if self.is_replica else "PRIMARY"
        return found

    def require_enabled(self) -> Key:
        """Refuse a key that is not to be used now. Raises DisabledException, KMSInvalidStateException."""
        if self.shown_state == "Disabled":
            raise DisabledException(f"{self.arn} is disabled.")
        return self.require_not(*_STATES)

    def require_not(self, *states: str) -> Key:
        """Refuse a key in one of the states. Raises KMSInvalidStateException."""
        if (state := self.shown_state) in states:
            raise KMSInvalidStateException(f"{self.arn} {_STATES[state]}")
        return self


async def find(ctx: Context, name: str) -> Key:
    """The key of an id, an ARN, an alias or an alias's ARN; only ARNs reach other accounts.

    Raises NotFoundException, InvalidArnException.
    """
    account, resource = _parse(ctx, name)
    if resource.startswith("alias/"):
        id = await _of_alias(ctx, account, resource)
    else:
        id = resource
    found = await by_id(ctx, id)
    if found is None or found.account_id != account:
        raise NotFoundException(f"Key '{arn('kms', ctx.region, account, f'key/{id}')}' does not exist")
    return found


async def by_id(ctx: Context, id: str) -> Key | None:
    """A key of this region, whoever's it is; None without one."""
    return _open(ctx.engine("sealing"), id, ctx.region, await queries.load_cached(ctx.db, id, ctx.region))


async def in_region(ctx: Context, id: str, region: str) -> Key:
    """A key of another region, read anew."""
    found = _open(ctx.engine("sealing"), id, region, await queries.load(ctx.db, id, region))
    assert found is not None
    return found


async def for_work(db: Unit, sealer: Sealer, id: str, region: str) -> Key | None:
    """A key for a reconciler, held; None when it is no more."""
    return _open(sealer, id, region, await queries.load(db, id, region)) if await queries.lock(db, id, region) else None


async def fresh(ctx: Context, key: Key) -> Key:
    """The key as it is in the database, held until the end of the transaction. Raises NotFoundException."""
    found = await for_work(ctx.db, ctx.engine("sealing"), key.id, key.region)
    if found is None:
        raise NotFoundException(f"Key '{key.arn}' does not exist")
    return found


def _parse(ctx: Context, name: str) -> tuple[str, str]:
    """Account and resource (`alias/…` or an id) that a text names."""
    if not name.startswith("arn:"):
        return ctx.account_id, _checked(name)
    try:
        parsed = Arn.parse(name)
    except ValueError as error:
        raise InvalidArnException(f"Invalid arn {name}") from error
    if parsed.service != "kms" or parsed.partition != "aws" or not parsed.account:
        raise InvalidArnException(f"Invalid arn {name}")
    if parsed.region != ctx.region:
        raise NotFoundException(f"Invalid arn {parsed.region}")
    resource = parsed.resource
    if not resource.startswith(("key/", "alias/")):
        raise InvalidArnException(f"Invalid arn {name}")
    return parsed.account, _checked(resource.removeprefix("key/"))


def _checked(resource: str) -> str:
    if not _ID.fullmatch(resource) and not _ALIAS.fullmatch(resource):
        raise NotFoundException(f"Invalid keyId '{resource}'")
    return resource


async def _of_alias(ctx: Context, account: str, name: str) -> str:
    found = await queries.alias_target(ctx.db, account, ctx.region, name)
    if found is None:
        raise NotFoundException(f"Alias {arn('kms', ctx.region, account, name)} is not found.")
    return found


def _open(sealer: Sealer, id: str, region: str, row: Any) -> Key | None:
    """The key of a row, opened anew only when the row is another than before."""
    if row is None:
        _opened.pop((id, region), None)
        return None
    known = _opened.get((id, region))
    if known is not None and (known[0] is row or known[0] == row):
        return known[1]
    key = _key_of(sealer, row)
    if len(_opened) >= _MOST:
        _opened.popitem(last=False)
    _opened[id, region] = row, key
    return key


def _key_of(sealer: Sealer, row: Any) -> Key:
    id = row["id"]
    opened = {}
    for item in row["materials"] or ():
        if item["sealed"] is not None:
            secret = material.open_sealed(sealer, id, item["id"], base64.b64decode(item["sealed"]))
            opened[item["id"]] = Material(item["id"], secret, item["state"], _moment(item["valid_to"]))
    current = next((item for item in row["materials"] or () if item["id"] == row["material_id"]), None)
    imported = {}
    if row["origin"] == EXTERNAL and current is not None and current["sealed"] is not None:
        imported = {"expires": current["expires"], "valid_to": _moment(current["valid_to"])}
    given = {name: row[name] for name in queries.COLUMNS}
    given["spec"] = SPECS[row["spec"]]
    return Key(
        **given,
        aliases=sorted(row["aliases"]),
        regions=sorted(row["regions"]),
        grants=row["grants"] or [],
        materials=opened,
        imported=imported,
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def shown(key: Key) -> dict[str, Any]:
    """A key as `KeyMetadata`."""
    state = key.shown_state
    found: dict[str, Any] = {
        "AWSAccountId": key.account_id,
        "KeyId": key.id,
        "Arn": key.arn,
        "CreationDate": key.created_at,
        "Enabled": state == "Enabled",
        "Description": key.description,
        "KeyUsage": key.usage,
        "KeyState": state,
        "Origin": key.origin,
        "KeyManager": key.manager,
        "CustomerMasterKeySpec": key.spec.name,
        "KeySpec": key.spec.name,
        specs.MEMBERS[key.usage]: list(key.algorithms),
        "MultiRegion": key.primary_region is not None,
    }
    if key.spec.name == specs.SYMMETRIC and key.material_id:
        found["CurrentKeyMaterialId"] = key.material_id
    if state == "PendingDeletion":
        found["DeletionDate"] = key.deleted_at
    if state == "PendingReplicaDeletion":
        found["PendingDeletionWindowInDays"] = key.pending_days
    if key.imported and state != "PendingImport":
        expires = key.imported["expires"]
        found["ExpirationModel"] = "KEY_MATERIAL_EXPIRES" if expires else "KEY_MATERIAL_DOES_NOT_EXPIRE"
        if expires:
            found["ValidTo"] = key.imported["valid_to"]
    if key.primary_region:
        found["MultiRegionConfiguration"] = _regions(key)
    return found


def _regions(key: Key) -> dict[str, Any]:
    def of(region: str) -> dict[str, str]:
        return {"Arn": arn("kms", region, key.account_id, f"key/{key.id}"), "Region": region}

    return {
        "MultiRegionKeyType": "REPLICA" if key.is_replica else "PRIMARY",
        "PrimaryKey": of(key.primary_region or key.region),
        "ReplicaKeys": [of(region) for region in key.regions if region != key.primary_region],
    }


Named = Key | AwsError
"""What a request's name stands for: a key, or why there is none."""
