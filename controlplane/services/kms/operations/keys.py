"""Making, describing and listing keys."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from controlplane.core.arn import arn
from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.kms import creating, grants, keys, permissions, policies, shapes, specs
from controlplane.services.kms.errors import (
    CustomKeyStoreNotFoundException,
    LimitExceededException,
    UnsupportedOperationException,
    ValidationException,
)
from controlplane.services.kms.queries import keys as queries
from controlplane.services.kms.specs import SPECS, Spec

if TYPE_CHECKING:
    from types_boto3_kms.type_defs import (
        CreateKeyRequestTypeDef,
        DescribeKeyRequestTypeDef,
        GetPublicKeyRequestTypeDef,
        ListKeysRequestTypeDef,
        UpdateKeyDescriptionRequestTypeDef,
    )

_COUNT = "SELECT count(*) FROM kms_keys WHERE account_id = $1 AND region = $2 AND manager = 'CUSTOMER'"
_ORIGINS = (keys.EXTERNAL, "AWS_KMS")


@operation("CreateKey", on=permissions.on_new_key())
async def create_key(ctx: Context, request: CreateKeyRequestTypeDef) -> dict[str, Any]:
    """Make a key. Raises MalformedPolicyDocumentException, TagException, UnsupportedOperationException."""
    if request.get("CustomKeyStoreId"):
        raise CustomKeyStoreNotFoundException(f"Custom key store {request['CustomKeyStoreId']} does not exist.")
    origin = request.get("Origin") or "AWS_KMS"
    if origin not in _ORIGINS or request.get("XksKeyId"):
        raise UnsupportedOperationException("Custom key stores are not supported.")
    spec, usage = _spec(request)
    if origin == keys.EXTERNAL and spec.family in ("ml-dsa", "ml-kem"):
        raise UnsupportedOperationException(f"Keys of spec {spec.name} cannot have imported key material.")
    tags = shapes.tags_of(request.get("Tags"), {})
    multi_region = bool(request.get("MultiRegion"))
    id = f"mrk-{uuid.uuid4().hex}" if multi_region else str(uuid.uuid4())
    policy = request.get("Policy") or policies.default(ctx.account_id)
    bypass = bool(request.get("BypassPolicyLockoutSafetyCheck"))
    await _room_for_one(ctx)
    if request.get("Policy"):
        policy = await policies.check(ctx, policy, arn("kms", ctx.region, ctx.account_id, f"key/{id}"), bypass=bypass)
    await creating.insert(
        ctx,
        id,
        spec=spec,
        usage=usage,
        policy=policy,
        origin=origin,
        description=request.get("Description") or "",
        tags=tags,
        multi_region=multi_region,
    )
    if tags:
        await ctx.authorize("kms:TagResource", *ctx.resources)
    return {"KeyMetadata": keys.shown(await _made(ctx, id))}


async def _room_for_one(ctx: Context) -> None:
    """Raises LimitExceededException. AWS's own keys in the account do not count."""

    async def used() -> float:
        return float(await ctx.db.fetchval(_COUNT, ctx.account_id, ctx.region))

    def error(limit: int) -> LimitExceededException:
        return LimitExceededException(f"You have reached the limit of {limit} KMS keys in this account and Region.")

    await ctx.within_quota("kms/L-C2F1777E", used, error)


async def _made(ctx: Context, id: str) -> keys.Key:
    made = await keys.by_id(ctx, id)
    assert made is not None
    return made


def _spec(request: CreateKeyRequestTypeDef) -> tuple[Spec, str]:
    old, new = request.get("CustomerMasterKeySpec"), request.get("KeySpec")
    if old and new:
        raise ValidationException(
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
            "CustomerMasterKeySpec is deprecated."
        )
    name = new or old or specs.SYMMETRIC
    usage = request.get("KeyUsage")
    if usage is None and name != specs.SYMMETRIC:
        raise ValidationException(
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."
        )
    spec = SPECS.get(name)
    if spec is None:
        raise UnsupportedOperationException(f"KeySpec {name} is not supported in this region.")
    if (usage or specs.ENCRYPT) not in spec.algorithms:
        raise ValidationException(f"KeyUsage {usage} is not compatible with KeySpec {name}")
    return spec, usage or specs.ENCRYPT


@operation("DescribeKey", on=permissions.on_key(elsewhere=True))
async def describe_key(ctx: Context, request: DescribeKeyRequestTypeDef) -> dict[str, Any]:
    """A key's metadata. Raises NotFoundException."""
    grants.check_tokens(ctx.engine("sealing"), request.get("GrantTokens"))
    return {"KeyMetadata": keys.shown(permissions.key_of(ctx))}


@operation("ListKeys", on=ANY)
async def list_keys(ctx: Context, request: ListKeysRequestTypeDef) -> dict[str, Any]:
    """Ids and ARNs of the account's keys in this region."""
    after, limit = shapes.asked(request, 100)
    ids = await queries.page(ctx.db, ctx.account_id, ctx.region, after, limit + 1)

    def show(id: str) -> dict[str, str]:
        return {"KeyId": id, "KeyArn": arn("kms", ctx.region, ctx.account_id, f"key/{id}")}

    return shapes.page("Keys", ids, limit, show, str)


@operation("UpdateKeyDescription", on=permissions.on_key())
async def update_key_description(ctx: Context, request: UpdateKeyDescriptionRequestTypeDef) -> None:
    """Change a key's description. Raises NotFoundException, KMSInvalidStateException."""
    key = await keys.fresh(ctx, permissions.key_of(ctx))
    key.require_not("PendingDeletion", "PendingReplicaDeletion")
    await queries.set_column(ctx.db, key.id, key.region, "description", request["Description"])


@operation("GetPublicKey", on=permissions.on_key(elsewhere=True))
async def get_public_key(ctx: Context, request: GetPublicKeyRequestTypeDef) -> dict[str, Any]:
    """The public half of a key pair. Raises UnsupportedOperationException for keys that have none."""
    grants.check_tokens(ctx.engine("sealing"), request.get("GrantTokens"))
    key = permissions.key_of(ctx).require_enabled()
    if key.spec.family in ("symmetric", "hmac"):
        raise UnsupportedOperationException(
            f"{key.arn} key spec is {key.spec.name} which is not valid for GetPublicKey."
        )
    return {
        "KeyId": key.arn,
        "PublicKey": key.in_use.public_bytes,
        "CustomerMasterKeySpec": key.spec.name,
        "KeySpec": key.spec.name,
        "KeyUsage": key.usage,
        specs.MEMBERS[key.usage]: list(key.algorithms),
    }
