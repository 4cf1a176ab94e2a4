"""Who called, as `userIdentity`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from controlplane.core.principal import Principal

_TYPES = {
    "root": "Root",
    "user": "IAMUser",
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
    "anonymous": "Unknown",
}


def identity_of(principal: Principal, invoked_by: str) -> dict[str, Any]:
    """`invoked_by` is the service through which the call came, if any."""
    if principal.kind == "service":
        return {"type": "AWSService", "invokedBy": principal.arn}
    found: dict[str, Any] = {"type": _TYPES[principal.kind]}
    if principal.kind != "anonymous":
        found |= {"principalId": principal.user_id, "arn": principal.arn, "accountId": principal.account_id}
    if principal.access_key_id:
        found["accessKeyId"] = principal.access_key_id
    if principal.kind == "user":
        found["userName"] = principal.name
    if principal.session:
        found["sessionContext"] = _session(principal)
    if invoked_by:
        found["invokedBy"] = invoked_by
    return found


def _session(principal: Principal) -> dict[str, Any]:
    session = principal.session
    made = datetime.fromtimestamp(session.get("issued_at", 0), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    mfa = "true" if session.get("mfa_at") else "false"
    found: dict[str, Any] = {"attributes": {"creationDate": made, "mfaAuthenticated": mfa}}
    if principal.kind == "assumed-role" and (issuer := session.get("issuer_arn")):
        found["sessionIssuer"] = {
            "type": "Role",
            "principalId": session.get("issuer_id", ""),
            "arn": issuer,
            "accountId": principal.account_id,
            "userName": issuer.rpartition("/")[2],
        }
    if source := session.get("source_identity"):
        found["sourceIdentity"] = source
    return found


def name_of(principal: Principal) -> str:
    """The user name that events can be looked up by."""
    if principal.kind == "root":
        return "root"
    return principal.name or principal.arn.rpartition("/")[2]
