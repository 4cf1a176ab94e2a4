"""The condition values of a request, worked out only when a policy asks for one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from controlplane.access.policy.match import ContextValue
from controlplane.access.principals import NO_ORGANIZATION, OrganizationPolicies
from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.core.principal import Principal

_TYPES = {
    "root": "Account",
    "user": "User",
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
    "anonymous": "Anonymous",
}


_OF_FACTS = frozenset({"aws:sourcearn", "aws:sourceaccount", "aws:sourceowner"})
"""Keys that only facts give."""


class RequestContext(Mapping[str, ContextValue]):
    """Condition keys (lower case) of one request, shared by all resources it asks about."""

    __slots__ = ("_ctx", "_organization", "_tags", "_values")

    def __init__(
        self, ctx: Context, principal_tags: Mapping[str, str], organization: OrganizationPolicies = NO_ORGANIZATION
    ) -> None:
        self._ctx = ctx
        self._tags = principal_tags
        self._organization = organization
        self._values: dict[str, ContextValue] | None = None

    def _all(self) -> dict[str, ContextValue]:
        if self._values is None:
            self._values = {
                **_of_principal(self._ctx.principal, self._tags),
                **_of_organization("principalorg", self._organization),
                **_of_request(self._ctx),
                **_of_signature(self._ctx),
                **{key.lower(): value for key, value in self._ctx.facts.items() if ":" in key},
            }
        return self._values

    def __getitem__(self, key: str) -> ContextValue:
        return self._all()[key]

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a lower-case key."""
        if self._values is None and key in _OF_FACTS:  # resource policies ask for nothing else as a rule
            return next((value for name, value in self._ctx.facts.items() if name.lower() == key), default)
        return self._all().get(key, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


class ResourceContext(Mapping[str, ContextValue]):
    """The request's values and those of one resource, which win."""

    __slots__ = ("_action", "_organization", "_own", "_owner", "_request", "_resource")

    def __init__(
        self,
        request: RequestContext,
        resource: Resource,
        action: str,
        owner: str = "",
        organization: OrganizationPolicies = NO_ORGANIZATION,
    ) -> None:
        self._request = request
        self._resource = resource
        self._action = action
        self._owner = owner
        self._organization = organization
        self._own: dict[str, ContextValue] | None = None

    def _of_resource(self) -> dict[str, ContextValue]:
        if self._own is None:
            service = self._action.partition(":")[0]
            own: dict[str, ContextValue] = _of_organization("resourceorg", self._organization)
            if self._owner:
                own["aws:resourceaccount"] = self._owner
            for key, value in self._resource.tags.items():
                own[f"aws:resourcetag/{key.lower()}"] = value
                own[f"{service}:resourcetag/{key.lower()}"] = value
            for name, given in self._resource.conditions.items():
                own[name.lower()] = given if isinstance(given, str) else list(given)
            self._own = own
        return self._own

    def __getitem__(self, key: str) -> ContextValue:
        own = self._of_resource()
        return own[key] if key in own else self._request[key]

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a lower-case key."""
        own = self._of_resource()
        return own[key] if key in own else self._request.get(key, default)

    def __iter__(self) -> Iterator[str]:
        return iter({**self._request, **self._of_resource()})

    def __len__(self) -> int:
        return len({**self._request, **self._of_resource()})


def _of_organization(prefix: str, organization: OrganizationPolicies) -> dict[str, ContextValue]:
    """The organization that a caller or a resource belongs to; no values outside one."""
    if not organization.id:
        return {}
    return {f"aws:{prefix}id": organization.id, f"aws:{prefix}paths": [organization.path]}


def _of_principal(principal: Principal, tags: Mapping[str, str]) -> dict[str, ContextValue]:
    values: dict[str, ContextValue] = {f"aws:principaltag/{key.lower()}": value for key, value in tags.items()}
    values["aws:principalisawsservice"] = "true" if principal.kind == "service" else "false"
    if principal.kind == "service":
        values["aws:principalservicename"] = principal.arn
        return values
    if principal.kind == "web-identity":
        values["aws:federatedprovider"] = principal.arn
        return values
    values["aws:principaltype"] = _TYPES[principal.kind]
    if principal.kind == "anonymous":
        return values
    session = principal.session
    values["aws:principalaccount"] = principal.account_id
    values["aws:principalarn"] = str(session["issuer_arn"]) if principal.kind == "assumed-role" else principal.arn
    values["aws:userid"] = principal.user_id
    if principal.kind == "user":
        values["aws:username"] = principal.name
    if session:
        values["aws:tokenissuetime"] = _iso(session["issued_at"])
        mfa_at = session.get("mfa_at")
        values["aws:multifactorauthpresent"] = "true" if mfa_at else "false"
        if mfa_at:
            values["aws:multifactorauthage"] = str(int(time.time()) - mfa_at)
        if session.get("source_identity"):
            values["aws:sourceidentity"] = session["source_identity"]
        values.update(session.get("federated", {}))
    return values


def _of_request(ctx: Context) -> dict[str, ContextValue]:
    now = time.time()
    values: dict[str, ContextValue] = {
        "aws:currenttime": _iso(now),
        "aws:epochtime": str(int(now)),
        "aws:requestedregion": ctx.region,
        "aws:securetransport": "true" if ctx.secure else "false",
        "aws:viaawsservice": "false",
    }
    if ctx.source_vpc is None:
        values["aws:sourceip"] = ctx.source_ip
    else:  # as through a VPC endpoint: a private address says nothing outside its VPC
        values["aws:sourcevpc"] = ctx.source_vpc
        values["aws:vpcsourceip"] = ctx.source_ip
    if ctx.user_agent:
        values["aws:useragent"] = ctx.user_agent
    tags = request_tags(ctx.request)
    if tags is not None:
        values["aws:tagkeys"] = list(tags)
        values |= {f"aws:requesttag/{key.lower()}": value for key, value in tags.items()}
    elif keys := _tag_keys(ctx.request):
        values["aws:tagkeys"] = keys
    return values


def _of_signature(ctx: Context) -> dict[str, ContextValue]:
    """What S3's policies can say of signatures: the age is in milliseconds."""
    if ctx.model != "s3" or ctx.signed is None:
        return {}
    values: dict[str, ContextValue] = {"s3:signatureversion": ctx.signed.scheme, "s3:authtype": ctx.signed.place}
    if ctx.signed.moment is not None:
        values["s3:signatureage"] = str(int((time.time() - ctx.signed.moment) * 1000))
    if "x-amz-content-sha256" in ctx.headers:
        values["s3:x-amz-content-sha256"] = ctx.headers["x-amz-content-sha256"]
    return values


def request_tags(request: Mapping[str, Any]) -> dict[str, str] | None:
    """The tags that a request carries, in whichever of AWS's shapes; None when it carries none."""
    specifications = request.get("TagSpecifications") or request.get("TagSpecification")
    if isinstance(specifications, list):
        given: Any = [tag for item in specifications if isinstance(item, Mapping) for tag in item.get("Tags") or ()]
    else:
        given = next((request[name] for name in ("Tags", "tags", "TagList") if request.get(name)), None)
    if isinstance(given, Mapping):
        return {str(key): str(value) for key, value in given.items()}
    if not isinstance(given, list) or not all(isinstance(tag, Mapping) for tag in given):
        return None
    named = ((tag.get("Key") or tag.get("key") or tag.get("TagKey"), tag) for tag in given)
    return {key: str(tag.get("Value") or tag.get("value") or tag.get("TagValue") or "") for key, tag in named if key}


def _tag_keys(request: Mapping[str, Any]) -> list[str]:
    given: Any = next((request[name] for name in ("TagKeys", "tagKeys") if request.get(name)), [])
    return [str(key) for key in given] if isinstance(given, list) else []


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
