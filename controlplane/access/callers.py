"""A principal as policies see it."""

from __future__ import annotations

from controlplane.access.policy.principals import ANONYMOUS, Caller, PrincipalKind
from controlplane.core.arn import Arn
from controlplane.core.principal import Principal

_KINDS = {
    "root": PrincipalKind.ROOT,
    "user": PrincipalKind.USER,
    "assumed-role": PrincipalKind.ASSUMED_ROLE,
    "federated-user": PrincipalKind.FEDERATED_USER,
    "service": PrincipalKind.SERVICE,
    "web-identity": PrincipalKind.WEB_IDENTITY,
}
_SERVICE_LINKED = "role/aws-service-role/"


def caller_of(principal: Principal) -> Caller:
    """The caller that statements are matched with."""
    if principal.kind == "anonymous":
        return ANONYMOUS
    issuer = principal.session.get("issuer_arn", "")
    service_linked = principal.kind == "assumed-role" and Arn.parse(issuer).resource.startswith(_SERVICE_LINKED)
    id = principal.user_id if principal.kind in ("user", "assumed-role") else ""
    issuer_id = principal.session.get("issuer_id", "") if issuer else ""
    kind = _KINDS[principal.kind]
    return Caller(kind, principal.arn, principal.account_id, issuer, service_linked, id, issuer_id)
