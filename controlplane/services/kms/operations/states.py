"""Enabling, disabling and deleting keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.services.kms import deleting, keys, permissions
from controlplane.services.kms.errors import KMSInvalidStateException, ValidationException
from controlplane.services.kms.queries import keys as queries

if TYPE_CHECKING:
    from types_boto3_kms.type_defs import (
        CancelKeyDeletionRequestTypeDef,
        DisableKeyRequestTypeDef,
        EnableKeyRequestTypeDef,
        ScheduleKeyDeletionRequestTypeDef,
    )

_SHORTEST, _LONGEST = 7, 30
_PENDING = ("PendingDeletion", "PendingReplicaDeletion")


@operation("EnableKey", on=permissions.on_key())
async def enable_key(ctx: Context, request: EnableKeyRequestTypeDef) -> None:
    """Let a key be used. Raises KMSInvalidStateException."""
    await _switch(ctx, "Enabled")


@operation("DisableKey", on=permissions.on_key())
async def disable_key(ctx: Context, request: DisableKeyRequestTypeDef) -> None:
    """Let a key not be used. Raises KMSInvalidStateException."""
    await _switch(ctx, "Disabled")


async def _switch(ctx: Context, state: str) -> None:
    key = await keys.fresh(ctx, permissions.key_of(ctx))
    key.require_not(*_PENDING, "PendingImport")
    if key.state != state:
        await queries.set_state(ctx.db, key.id, key.region, state)


@operation("ScheduleKeyDeletion", on=permissions.on_key())
async def schedule_key_deletion(ctx: Context, request: ScheduleKeyDeletionRequestTypeDef) -> dict[str, Any]:
    """Delete a key in 7 to 30 days; a primary of replicas, so many days after the last of them is gone.

    Raises KMSInvalidStateException, ValidationException.
    """
    days = request.get("PendingWindowInDays") or _LONGEST
    if not _SHORTEST <= days <= _LONGEST:
        raise ValidationException(
            f"1 validation error detected: Value '{days}' at 'pendingWindowInDays' failed to satisfy constraint: "
            f"Member must have value between {_SHORTEST} and {_LONGEST}, inclusive"
        )
    key = await keys.fresh(ctx, permissions.key_of(ctx))
    key.require_not(*_PENDING)
    answer: dict[str, Any] = {"KeyId": key.arn, "PendingWindowInDays": days}
    if key.primary_region == key.region and len(key.regions) > 1:
        await queries.set_state(ctx.db, key.id, key.region, "PendingReplicaDeletion", days)
        answer["KeyState"] = "PendingReplicaDeletion"
    else:
        at = datetime.now(UTC) + timedelta(days=days)
        await deleting.schedule(ctx, key, days, at)
        answer |= {"KeyState": "PendingDeletion", "DeletionDate": at}
    return answer


@operation("CancelKeyDeletion", on=permissions.on_key())
async def cancel_key_deletion(ctx: Context, request: CancelKeyDeletionRequestTypeDef) -> dict[str, Any]:
    """Keep a key after all; it is disabled then. Raises KMSInvalidStateException."""
    key = await keys.fresh(ctx, permissions.key_of(ctx))
    if key.state not in _PENDING:
        raise KMSInvalidStateException(f"{key.arn} is not pending deletion.")
    has_material = key.current is not None
    await queries.set_state(ctx.db, key.id, key.region, "Disabled" if has_material else "PendingImport")
    return {"KeyId": key.arn}
