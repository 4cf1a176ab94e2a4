"""What the policy engine is asked about: the key that a request names, its policy and grants, and condition values."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from controlplane.core.arn import Arn, arn
from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import Resource
from controlplane.services.kms import grants, keys, managed, symmetric
from controlplane.services.kms.errors import InvalidCiphertextException
from controlplane.services.kms.keys import Key, Named

Answer = Callable[[Context, Any], Awaitable[list[Resource]]]

# Parameters that policies may ask about, and under which name.
_CONDITIONS = {
    "EncryptionAlgorithm": "kms:EncryptionAlgorithm",
    "SigningAlgorithm": "kms:SigningAlgorithm",
    "MacAlgorithm": "kms:MacAlgorithm",
    "KeyAgreementAlgorithm": "kms:KeyAgreementAlgorithm",
    "EncapsulationAlgorithm": "kms:EncapsulationAlgorithm",
    "MessageType": "kms:MessageType",
    "KeyPairSpec": "kms:DataKeyPairSpec",
    "RotationPeriodInDays": "kms:RotationPeriodInDays",
    "PendingWindowInDays": "kms:ScheduleKeyDeletionPendingWindowInDays",
    "WrappingAlgorithm": "kms:WrappingAlgorithm",
    "WrappingKeySpec": "kms:WrappingKeySpec",
    "ExpirationModel": "kms:ExpirationModel",
    "ReplicaRegion": "kms:ReplicaRegion",
    "PrimaryRegion": "kms:PrimaryRegion",
    "GranteePrincipal": "kms:GranteePrincipal",
    "RetiringPrincipal": "kms:RetiringPrincipal",
    "GranteeServicePrincipal": "kms:GranteeServicePrincipal",
    "RetiringServicePrincipal": "kms:RetiringServicePrincipal",
}


def on_key(*, action: str = "", elsewhere: bool = False) -> Answer:
    """The key of `KeyId`. `elsewhere` says that the operation may be done with keys of other accounts; `action` is the
    one that grants name, where it is not the operation's."""

    async def resources(ctx: Context, request: Any) -> list[Resource]:
        named = await lookup(ctx, request.get("KeyId") or "")
        return [of(ctx, named, request, request.get("KeyId") or "", action or ctx.operation, elsewhere=elsewhere)]

    return resources


async def on_ciphertext(ctx: Context, request: Any) -> list[Resource]:
    """The key that a request names or else the ciphertext itself."""
    name, named = await source(ctx, request, "KeyId")
    return [of(ctx, named, request, name, "Decrypt", elsewhere=True)]


async def source(ctx: Context, request: Mapping[str, Any], member: str) -> tuple[str, Named]:
    """The key of a ciphertext: the one that the request names in a member, or else the ciphertext itself."""
    if name := request.get(member):
        return name, await lookup(ctx, name)
    return await _of_blob(ctx, request.get("CiphertextBlob") or b"")


async def _of_blob(ctx: Context, blob: bytes) -> tuple[str, Named]:
    try:
        id = symmetric.address(blob).key_id
    except symmetric.NotACiphertext:
        return "*", InvalidCiphertextException()
    found = await keys.by_id(ctx, id)
    if found is None:
        return "*", InvalidCiphertextException()
    return found.arn, found


def on_new_key() -> Answer:
    """A key that the operation is about to make."""

    async def resources(ctx: Context, request: Any) -> list[Resource]:
        conditions = {
            "kms:CallerAccount": ctx.principal.account_id,
            "kms:KeySpec": request.get("KeySpec") or request.get("CustomerMasterKeySpec") or "SYMMETRIC_DEFAULT",
            "kms:KeyUsage": request.get("KeyUsage") or "ENCRYPT_DECRYPT",
            "kms:KeyOrigin": request.get("Origin") or "AWS_KMS",
            "kms:MultiRegion": _flag(request.get("MultiRegion")),
            "kms:BypassPolicyLockoutSafetyCheck": _flag(request.get("BypassPolicyLockoutSafetyCheck")),
        }
        return [Resource("*", conditions=conditions)]

    return resources


def on_alias(*, target: bool) -> Answer:
    """An alias and its key; with `target` also the key that it shall have."""

    async def resources(ctx: Context, request: Any) -> list[Resource]:
        name = request.get("AliasName") or ""
        found = [Resource(arn("kms", ctx.region, ctx.account_id, name), conditions=_caller(ctx))]
        wanted = [request.get("TargetKeyId") or ""] if target else []
        if ctx.operation != "CreateAlias":
            wanted.append(name)
        for key in wanted:
            found.append(of(ctx, await lookup(ctx, key), request, key, ctx.operation, elsewhere=False))
        return found

    return resources


async def lookup(ctx: Context, name: str) -> Named:
    """The key of a name, or what to say when there is none: that is said only to those who may ask."""
    try:
        return await managed.find(ctx, name)
    except AwsError as error:
        return error


def of(
    ctx: Context,
    named: Named,
    request: Mapping[str, Any],
    name: str,
    action: str,
    *,
    elsewhere: bool,
    facts: Mapping[str, Any] | None = None,
) -> Resource:
    """A key as the engine sees it; `row` holds the key, or the error that the operation answers with.

    `facts` are further condition values.
    """
    if not isinstance(named, Key):
        return Resource(_asked_arn(ctx, name), conditions=_caller(ctx), row=named)
    conditions = {**named.facts, **_conditions(ctx, request, name), **(facts or {})}
    if named.account_id != ctx.account_id and not elsewhere:
        return Resource(named.arn, conditions=conditions, row=named)
    context = request.get("EncryptionContext")
    policy = grants.policy_of(ctx, named, action, context) if named.grants else named.document
    return Resource(named.arn, named.tags, policy, conditions, named)


def key_of(ctx: Context, index: int = 0) -> Key:
    """The key that permission was asked for. Raises NotFoundException and the like."""
    named: Named = ctx.resources[index].row
    if isinstance(named, AwsError):
        raise named
    return named


def _asked_arn(ctx: Context, name: str) -> str:
    try:
        parsed = Arn.parse(name)
        if parsed.service == "kms" and parsed.account:
            return name
    except ValueError:
        pass
    return arn("kms", ctx.region, ctx.account_id, name if name.startswith("alias/") else f"key/{name}")


def _caller(ctx: Context) -> dict[str, Any]:
    return {"kms:CallerAccount": ctx.principal.account_id}


def _conditions(ctx: Context, request: Mapping[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = {"kms:CallerAccount": ctx.principal.account_id}
    for member, key in _CONDITIONS.items():
        value = request.get(member)
        if value is not None:
            found[key] = str(value)
    if context := request.get("EncryptionContext"):
        found["kms:EncryptionContextKeys"] = list(context)
        found.update((f"kms:EncryptionContext:{key}", value) for key, value in context.items())
    if "alias/" in name:
        found["kms:RequestAlias"] = name[name.index("alias/") :]
    if ctx.operation == "CreateGrant":
        found |= _of_grant(ctx, request)
    if "BypassPolicyLockoutSafetyCheck" in request or ctx.operation == "PutKeyPolicy":
        found["kms:BypassPolicyLockoutSafetyCheck"] = _flag(request.get("BypassPolicyLockoutSafetyCheck"))
    if (valid_to := request.get("ValidTo")) is not None:
        found["kms:ValidTo"] = valid_to.strftime("%Y-%m-%dT%H:%M:%SZ")
    return found


def _of_grant(ctx: Context, request: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kms:GrantOperations": list(request.get("Operations") or ()),
        "kms:GrantIsForAWSResource": str(ctx.facts.get("aws:ViaAWSService", "false")),
    }
    constraints = request.get("Constraints") or {}
    if kinds := [kind for kind in ("EncryptionContextEquals", "EncryptionContextSubset") if kind in constraints]:
        found["kms:GrantConstraintType"] = kinds[0]
    if source := constraints.get("SourceArn"):
        found["kms:GrantConstraintSourceArn"] = source
    return found


def _flag(value: Any) -> str:
    return "true" if value else "false"
