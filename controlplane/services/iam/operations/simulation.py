"""The policy simulator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from controlplane.access import queries as access
from controlplane.core.context import Context
from controlplane.core.errors import NotImplementedByCelaje
from controlplane.core.operation import ANY, Resource, operation
from controlplane.services.iam import permissions, shapes
from controlplane.services.iam.errors import InvalidInput, NoSuchEntity, ValidationError
from controlplane.services.iam.nouns import GROUP, ROLE, USER, Noun
from controlplane.services.iam.queries import identities
from controlplane.services.iam.simulation import Simulation, Source, caller_from, context_keys, inputs

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        GetContextKeysForCustomPolicyRequestTypeDef,
        GetContextKeysForPrincipalPolicyRequestTypeDef,
        SimulateCustomPolicyRequestTypeDef,
        SimulatePrincipalPolicyRequestTypeDef,
    )

_NOUNS = {noun.kind: noun for noun in (USER, GROUP, ROLE)}
MAX_RESULTS = 1000


def _named(ctx: Context, arn: str) -> tuple[Noun, str]:
    """Noun and name in the ARN of an identity of this account. Raises ValidationError."""
    head, _, resource = arn.partition(f"arn:aws:iam::{ctx.account_id}:")
    kind, _, name = resource.partition("/")
    if head or kind not in _NOUNS or not name:
        raise ValidationError(f"Invalid Entity Arn: {arn[:200]}")
    return _NOUNS[kind], name.rpartition("/")[2]


async def on_source(ctx: Context, request: Any) -> list[Resource]:
    """The identity whose policies are simulated; an ARN that names none of this account is asked about as it is."""
    arn = request.get("PolicySourceArn") or ""
    try:
        return [await permissions.of(ctx, *_named(ctx, arn))]
    except ValidationError:
        return [Resource(arn)]


async def _sources(ctx: Context, arn: str) -> tuple[Any, list[Source]]:
    """An identity with all its policies, those of its groups included. Raises NoSuchEntity."""
    noun, name = _named(ctx, arn)
    row = await identities.find(ctx, noun, name)
    if row is None or noun.arn_of(row) != arn:
        raise NoSuchEntity(f"The {noun.kind} with name {name} cannot be found.")
    documents = await access.documents(ctx.db, row["id"])
    return row, [Source(item["name"], _type(item["name"]), item["document"]) for item in documents]


async def _levels(ctx: Context) -> list[list[Source]]:
    """The levels of the account's organization, root first; none outside one."""
    row = await access.account(ctx.db, ctx.account_id)
    levels = (row["organization"] or {}).get("service_control", [])
    return [[Source(item["Arn"], "user-managed", json.dumps(item["Document"])) for item in level] for level in levels]


def _type(name: str) -> str:
    if name.startswith("arn:"):
        return "aws-managed" if name.startswith("arn:aws:iam::aws:") else "user-managed"
    return name.partition("/")[0]


def _page(request: Any, results: list[dict[str, Any]]) -> dict[str, Any]:
    after, limit = shapes.asked(request)
    start = int(after) if after and after.isdecimal() else 0
    rows = list(enumerate(results[start : start + limit + 1], start=start + 1))
    return shapes.page("EvaluationResults", rows, limit, lambda item: item[1], lambda item: str(item[0]))


def _check_size(request: Any) -> None:
    if len(request["ActionNames"]) * max(1, len(request.get("ResourceArns") or ())) > MAX_RESULTS:
        raise InvalidInput(f"A simulation has at most {MAX_RESULTS} results.")


@operation("SimulateCustomPolicy", on=ANY)
async def simulate_custom_policy(ctx: Context, request: SimulateCustomPolicyRequestTypeDef) -> dict[str, Any]:
    """What policies would decide that are not attached to anybody. Raises InvalidInput."""
    _check_size(request)
    caller = caller_from(request.get("CallerArn") or f"arn:aws:iam::{ctx.account_id}:user/simulated")
    bounds = request.get("PermissionsBoundaryPolicyInputList")
    simulation = Simulation.of(
        request,
        caller,
        inputs(request["PolicyInputList"], "PolicyInputList"),
        inputs(bounds, "PermissionsBoundaryPolicyInputList") if bounds else None,
        [
            inputs(level.get("ServiceControlPolicyInputList"), f"OrderedOrganizationPolicyInputList.{n}")
            for n, level in enumerate(request.get("OrderedOrganizationPolicyInputList") or (), start=1)
        ],
        {},
    )
    return _page(request, simulation.results(request["ActionNames"], request.get("ResourceArns") or ()))


@operation("SimulatePrincipalPolicy", on=on_source)
async def simulate_principal_policy(ctx: Context, request: SimulatePrincipalPolicyRequestTypeDef) -> dict[str, Any]:
    """What an identity's policies, and further ones, would decide. Raises NoSuchEntity, InvalidInput."""
    _check_size(request)
    if request.get("PolicyExclusionList"):
        raise NotImplementedByCelaje("PolicyExclusionList is not implemented by this cloud.")
    arn = request["PolicySourceArn"]
    row, sources = await _sources(ctx, arn)
    bounds = request.get("PermissionsBoundaryPolicyInputList")
    boundary = inputs(bounds, "PermissionsBoundaryPolicyInputList") if bounds else None
    if boundary is None and row["boundary_arn"]:
        found = await access.managed(ctx.db, [row["boundary_arn"]])
        boundary = [Source(item["name"], _type(item["name"]), item["document"]) for item in found]
    context = {"aws:principalarn": arn, "aws:principalaccount": ctx.account_id}
    if row["kind"] == "user":
        context |= {"aws:username": row["name"], "aws:userid": row["id"]}
    simulation = Simulation.of(
        request,
        caller_from(request.get("CallerArn") or arn),
        [*sources, *inputs(request.get("PolicyInputList"), "PolicyInputList")],
        boundary,
        await _levels(ctx),
        {**context, **{f"aws:principaltag/{key.lower()}": value for key, value in row["tags"].items()}},
    )
    return _page(request, simulation.results(request["ActionNames"], request.get("ResourceArns") or ()))


@operation("GetContextKeysForCustomPolicy", on=ANY)
async def get_context_keys_for_custom_policy(
    ctx: Context, request: GetContextKeysForCustomPolicyRequestTypeDef
) -> dict[str, Any]:
    """The condition keys that policies speak of. Raises InvalidInput."""
    return {"ContextKeyNames": context_keys(request["PolicyInputList"])}


@operation("GetContextKeysForPrincipalPolicy", on=on_source)
async def get_context_keys_for_principal_policy(
    ctx: Context, request: GetContextKeysForPrincipalPolicyRequestTypeDef
) -> dict[str, Any]:
    """The condition keys that an identity's policies, and further ones, speak of. Raises NoSuchEntity, InvalidInput."""
    _, sources = await _sources(ctx, request["PolicySourceArn"])
    documents = [source.document for source in sources]
    return {"ContextKeyNames": context_keys([*documents, *(request.get("PolicyInputList") or ())])}
