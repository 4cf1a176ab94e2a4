"""When identities last used the services that their policies speak of."""

from __future__ import annotations

import asyncio
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from controlplane.access import facts
from controlplane.access import queries as access
from controlplane.access.policy.parse import Policy, compile_policy
from controlplane.core.context import Context
from controlplane.core.operation import ANY, Resource, operation
from controlplane.services.iam import permissions, shapes
from controlplane.services.iam.errors import InvalidInput, NoSuchEntity
from controlplane.services.iam.nouns import GROUP, ROLE, USER
from controlplane.services.iam.queries import identities, policies, reports

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        GenerateServiceLastAccessedDetailsRequestTypeDef,
        GetServiceLastAccessedDetailsRequestTypeDef,
        GetServiceLastAccessedDetailsWithEntitiesRequestTypeDef,
        ListPoliciesGrantingServiceAccessRequestTypeDef,
    )

KIND = "last-accessed"
_NOUNS = {noun.kind: noun for noun in (USER, GROUP, ROLE)}
_ALL = 100_000


async def on_arn(ctx: Context, request: Any) -> list[Resource]:
    """The identity or policy that is asked about."""
    arn = request.get("Arn") or ""
    if ":policy/" in arn:
        return await permissions.policy(ctx, {"PolicyArn": arn})
    kind, _, name = arn.partition(f"arn:aws:iam::{ctx.account_id}:")[2].partition("/")
    if kind in _NOUNS and name:
        return [await permissions.of(ctx, _NOUNS[kind], name.rpartition("/")[2])]
    return [Resource(arn)]


async def _subject(ctx: Context, arn: str) -> tuple[list[Policy], list[str]]:
    """The policies that an ARN stands for, and the ids of whose uses count. Raises NoSuchEntity, InvalidInput."""
    if ":policy/" in arn:
        row = await policies.find(ctx, arn)
        if row is None:
            raise NoSuchEntity(f"Policy {arn} was not found.")
        found = await policies.entities(ctx, arn, None, "/", True, False, None, _ALL)
        ids = [item["id"] for item in found]
        documents = await access.managed(ctx.db, [arn])
    else:
        kind, _, path = arn.partition(f"arn:aws:iam::{ctx.account_id}:")[2].partition("/")
        noun, name = _NOUNS.get(kind), path.rpartition("/")[2]
        if noun is None:
            raise InvalidInput(f"Invalid Entity Arn: {arn}")
        row = await identities.find(ctx, noun, name)
        if row is None or noun.arn_of(row) != arn:
            raise NoSuchEntity(f"The {noun.kind} with name {name} cannot be found.")
        ids, documents = [row["id"]], await access.documents(ctx.db, row["id"])
    for group in [id for id in ids if id.startswith(GROUP.prefix)]:
        ids += [member["id"] for member in await identities.members(ctx, group, None, _ALL)]
    return [compile_policy(item["document"], item["name"]) for item in documents], ids


async def _prefixes(found: list[Policy]) -> list[str]:
    """The services in which any of the policies allows anything at all."""
    return await asyncio.to_thread(lambda: [prefix for prefix in facts.prefixes() if _touches(found, prefix)])


def _touches(found: list[Policy], prefix: str) -> bool:
    return any(
        statement.allow
        and any(statement.covers_action(f"{prefix}:{action}") for action in facts.action_names().get(prefix, ()))
        for policy in found
        for statement in policy.statements
    )


@operation("GenerateServiceLastAccessedDetails", on=on_arn)
async def generate_service_last_accessed_details(
    ctx: Context, request: GenerateServiceLastAccessedDetailsRequestTypeDef
) -> dict[str, Any]:
    """Work the report out for an identity or a policy. Raises NoSuchEntity, InvalidInput."""
    found, ids = await _subject(ctx, request["Arn"])
    uses: dict[str, list[dict[str, Any]]] = {}
    for use in await reports.uses(ctx, ids):
        entity = {
            "arn": _NOUNS[use["kind"]].arn_of(use),
            "name": use["name"],
            "type": use["kind"].upper(),
            "id": use["id"],
            "path": use["path"],
            "at": use["at"].isoformat(),
            "region": use["region"],
        }
        uses.setdefault(use["prefix"], []).append(entity)
    services = [
        {"prefix": prefix, "name": facts.service_name(prefix), "uses": uses.get(prefix, [])}
        for prefix in await _prefixes(found)
    ]
    id = str(uuid.uuid4())
    content = {"level": request.get("Granularity") or "SERVICE_LEVEL", "services": services}
    await reports.insert(ctx, id, KIND, content)
    return {"JobId": id}


async def _report(ctx: Context, id: str) -> Any:
    row = await reports.find(ctx, KIND, id)
    if row is None:
        raise NoSuchEntity(f"Job {id} was not found.")
    return row


def _job(row: Any) -> dict[str, Any]:
    created = row["created_at"]
    return {"JobStatus": "COMPLETED", "JobCreationDate": created, "JobCompletionDate": created}


@operation("GetServiceLastAccessedDetails", on=ANY)
async def get_service_last_accessed_details(
    ctx: Context, request: GetServiceLastAccessedDetailsRequestTypeDef
) -> dict[str, Any]:
    """The services of a report, each with its last use. Raises NoSuchEntity."""
    row = await _report(ctx, request["JobId"])
    after, limit = shapes.asked(request)
    services = [item for item in row["content"]["services"] if after is None or item["prefix"] > after]
    shown = shapes.page("ServicesLastAccessed", services, limit, _service, lambda item: str(item["prefix"]))
    return {**_job(row), "JobType": row["content"]["level"], **shown}


def _service(item: Any) -> dict[str, Any]:
    shown = {
        "ServiceName": item["name"],
        "ServiceNamespace": item["prefix"],
        "TotalAuthenticatedEntities": len(item["uses"]),
    }
    if item["uses"]:
        last = item["uses"][0]
        shown |= {
            "LastAuthenticated": datetime.fromisoformat(last["at"]),
            "LastAuthenticatedEntity": last["arn"],
            "LastAuthenticatedRegion": last["region"],
        }
    return shown


@operation("GetServiceLastAccessedDetailsWithEntities", on=ANY)
async def get_service_last_accessed_details_with_entities(
    ctx: Context, request: GetServiceLastAccessedDetailsWithEntitiesRequestTypeDef
) -> dict[str, Any]:
    """Who used a service, by a report. Raises NoSuchEntity, InvalidInput."""
    row = await _report(ctx, request["JobId"])
    prefix = request["ServiceNamespace"]
    service = next((item for item in row["content"]["services"] if item["prefix"] == prefix), None)
    if service is None:
        raise InvalidInput(f"The report does not cover the service {prefix}.")
    after, limit = shapes.asked(request)
    uses = sorted(service["uses"], key=lambda use: str(use["id"]))
    uses = [use for use in uses if after is None or use["id"] > after]
    shown = shapes.page("EntityDetailsList", uses, limit, _entity, lambda use: str(use["id"]))
    return {**_job(row), **shown}


def _entity(use: Any) -> dict[str, Any]:
    info = {"Arn": use["arn"], "Name": use["name"], "Type": use["type"], "Id": use["id"], "Path": use["path"]}
    return {"EntityInfo": info, "LastAuthenticated": datetime.fromisoformat(use["at"])}


@operation("ListPoliciesGrantingServiceAccess", on=on_arn)
async def list_policies_granting_service_access(
    ctx: Context, request: ListPoliciesGrantingServiceAccessRequestTypeDef
) -> dict[str, Any]:
    """Which of an identity's policies allow anything in each of some services. Raises NoSuchEntity, InvalidInput."""
    if ":policy/" in request["Arn"]:
        raise InvalidInput(f"Invalid Entity Arn: {request['Arn']}")
    found, _ = await _subject(ctx, request["Arn"])
    known = set(facts.prefixes())
    if unknown := [prefix for prefix in request["ServiceNamespaces"] if prefix not in known]:
        raise InvalidInput(f"Invalid service namespace: {unknown[0]}")
    await asyncio.to_thread(facts.action_names)
    shown = [
        {
            "ServiceNamespace": prefix,
            "Policies": [_granting(policy.name) for policy in found if _touches([policy], prefix)],
        }
        for prefix in request["ServiceNamespaces"]
    ]
    return {"PoliciesGrantingServiceAccess": shown, "IsTruncated": False}


def _granting(name: str) -> dict[str, str]:
    if name.startswith("arn:"):
        return {"PolicyName": name.rpartition("/")[2], "PolicyType": "MANAGED", "PolicyArn": name}
    kind, holder, policy = name.split("/", 2)
    return {"PolicyName": policy, "PolicyType": "INLINE", "EntityType": kind.upper(), "EntityName": holder}
