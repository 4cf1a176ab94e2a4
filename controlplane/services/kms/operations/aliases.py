"""Aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.arn import arn
from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.kms import keys, managed, permissions, shapes
from controlplane.services.kms.errors import (
    AlreadyExistsException,
    InvalidAliasNameException,
    LimitExceededException,
    NotFoundException,
    ValidationException,
)
from controlplane.services.kms.queries import aliases

if TYPE_CHECKING:
    from types_boto3_kms.type_defs import (
        CreateAliasRequestTypeDef,
        DeleteAliasRequestTypeDef,
        ListAliasesRequestTypeDef,
        UpdateAliasRequestTypeDef,
    )

_PREFIX = "alias/"
_MOST = 50
_PAGE = 50
_LONGEST_PAGE = 100


def _check_name(name: str) -> None:
    if not name.startswith(_PREFIX):
        raise ValidationException(
            'Alias must start with the prefix "alias/". Please see '
            "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
        )
    if name == _PREFIX or ":" in name:
        raise ValidationException(f"{name} contains invalid characters for an alias")
    if name.startswith(managed.PREFIX):
        raise InvalidAliasNameException(f"Alias {name} is reserved for AWS.")


def _check_target(target: str) -> None:
    if _PREFIX in target:
        raise ValidationException("Aliases must refer to keys. Not aliases")


@operation("CreateAlias", on=permissions.on_alias(target=True))
async def create_alias(ctx: Context, request: CreateAliasRequestTypeDef) -> None:
    """Name a key. Raises AlreadyExistsException, InvalidAliasNameException, LimitExceededException."""
    name = request["AliasName"]
    _check_name(name)
    _check_target(request["TargetKeyId"])
    key = await keys.fresh(ctx, permissions.key_of(ctx, 1))
    key.require_not("PendingDeletion", "PendingReplicaDeletion")
    if await aliases.exists(ctx, name):
        raise AlreadyExistsException(
            f"An alias with the name {arn('kms', ctx.region, ctx.account_id, name)} already exists"
        )
    if await aliases.count(ctx, key.id) >= _MOST:
        raise LimitExceededException(f"Cannot have more than {_MOST} aliases for a key.")
    await aliases.insert(ctx, name, key.id)


@operation("UpdateAlias", on=permissions.on_alias(target=True))
async def update_alias(ctx: Context, request: UpdateAliasRequestTypeDef) -> None:
    """Let an alias name another key of the same kind. Raises NotFoundException, ValidationException."""
    name = request["AliasName"]
    _check_name(name)
    _check_target(request["TargetKeyId"])
    before = permissions.key_of(ctx, 2)
    key = await keys.fresh(ctx, permissions.key_of(ctx, 1))
    key.require_not("PendingDeletion", "PendingReplicaDeletion")
    if (before.spec.family == "symmetric", before.usage) != (key.spec.family == "symmetric", key.usage):
        raise ValidationException(
            f"Alias {arn('kms', ctx.region, ctx.account_id, name)} cannot be changed from {before.arn} to {key.arn}, "
            "because they differ in key usage or type."
        )
    if before.id != key.id and await aliases.count(ctx, key.id) >= _MOST:
        raise LimitExceededException(f"Cannot have more than {_MOST} aliases for a key.")
    if not await aliases.update(ctx, name, key.id):
        raise _missing(ctx, name)


@operation("DeleteAlias", on=permissions.on_alias(target=False))
async def delete_alias(ctx: Context, request: DeleteAliasRequestTypeDef) -> None:
    """Forget a name; the key stays. Raises NotFoundException."""
    _check_name(request["AliasName"])
    permissions.key_of(ctx, 1)
    if not await aliases.delete(ctx, request["AliasName"]):
        raise _missing(ctx, request["AliasName"])


def _missing(ctx: Context, name: str) -> NotFoundException:
    return NotFoundException(f"Alias {arn('kms', ctx.region, ctx.account_id, name)} is not found.")


@operation("ListAliases", on=ANY)
async def list_aliases(ctx: Context, request: ListAliasesRequestTypeDef) -> dict[str, Any]:
    """The account's aliases in this region, or those of one key. Raises NotFoundException."""
    after, limit = shapes.asked(request, _PAGE, _LONGEST_PAGE)
    key_id = request.get("KeyId")
    if key_id is not None:
        _check_target(key_id)
        key = await keys.find(ctx, key_id)
        if key.account_id != ctx.account_id:
            raise NotFoundException(f"Key '{key.arn}' does not exist")
        key_id = key.id
    rows = await aliases.page(ctx, key_id, after, limit + 1)

    def show(row: Any) -> dict[str, Any]:
        return {
            "AliasName": row["name"],
            "AliasArn": arn("kms", ctx.region, ctx.account_id, row["name"]),
            "TargetKeyId": row["key_id"],
            "CreationDate": row["created_at"],
            "LastUpdatedDate": row["updated_at"],
        }

    return shapes.page("Aliases", rows, limit, show, lambda row: str(row["name"]))
