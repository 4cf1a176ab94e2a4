"""Rows as the structures that Organizations answers with, and pages of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from controlplane.access.accounts import email_of
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.organizations import nouns
from controlplane.services.organizations.errors import InvalidInputException

_PAGE = 20


def organization(row: Mapping[str, Any], management: Mapping[str, Any]) -> dict[str, Any]:
    """An Organization. AWS keeps `AvailablePolicyTypes` for old clients; roots tell what is enabled."""
    types = [{"Type": nouns.SCP, "Status": "ENABLED"}] if row["feature_set"] == "ALL" else []
    return {
        "Id": row["id"],
        "Arn": nouns.organization_arn(row),
        "FeatureSet": row["feature_set"],
        "MasterAccountArn": nouns.account_arn(row, row["management_id"]),
        "MasterAccountId": row["management_id"],
        "MasterAccountEmail": email_of(management),
        "AvailablePolicyTypes": types,
    }


def root(row: Mapping[str, Any]) -> dict[str, Any]:
    types = [{"Type": type, "Status": "ENABLED"} for type in sorted(row["policy_types"])]
    return {
        "Id": row["root_id"],
        "Arn": nouns.target_arn(row, row["root_id"]),
        "Name": "Root",
        "PolicyTypes": types,
    }


def unit(row: Mapping[str, Any], path: str, owner: Mapping[str, Any]) -> dict[str, Any]:
    return {"Id": row["id"], "Arn": nouns.target_arn(owner, row["id"]), "Name": row["name"], "Path": path}


def account(row: Mapping[str, Any], owner: Mapping[str, Any], path: str | None = None) -> dict[str, Any]:
    """An account. It is suspended as soon as it is closed, and closed when nothing of it is left."""
    closing = row["closed_at"] is not None
    shown = {
        "Id": row["id"],
        "Arn": nouns.account_arn(owner, row["id"]),
        "Email": email_of(row),
        "Name": row["name"],
        "Status": "ACTIVE" if not closing else "SUSPENDED" if row["freed_at"] else "PENDING_CLOSURE",
        "State": "ACTIVE" if not closing else "SUSPENDED" if row["freed_at"] else "PENDING_CLOSURE",
        "JoinedMethod": row["joined_method"],
        "JoinedTimestamp": row["joined_at"],
    }
    return {**shown, "Paths": [path]} if path else shown


def account_request(row: Mapping[str, Any]) -> dict[str, Any]:
    """A CreateAccountStatus."""
    shown = {
        "Id": row["id"],
        "AccountName": row["name"],
        "State": row["state"],
        "RequestedTimestamp": row["requested_at"],
    }
    more = {
        "CompletedTimestamp": row["completed_at"],
        "AccountId": row["created_id"],
        "FailureReason": row["failure"],
    }
    return {**shown, **{name: value for name, value in more.items() if value is not None}}


def policy_summary(row: Mapping[str, Any], owner: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Id": row["id"],
        "Arn": nouns.policy_arn(owner, row),
        "Name": row["name"],
        "Description": row["description"],
        "Type": row["type"],
        "AwsManaged": row["id"] in nouns.AWS_POLICIES,
    }


def policy(row: Mapping[str, Any], owner: Mapping[str, Any]) -> dict[str, Any]:
    return {"PolicySummary": policy_summary(row, owner), "Content": row["content"]}


def handshake(row: Mapping[str, Any], owner: Mapping[str, Any]) -> dict[str, Any]:
    """A Handshake; `row` has the management account's name and address beside its own columns."""
    organization = [
        {"Type": "MASTER_EMAIL", "Value": email_of(row["management"])},
        {"Type": "MASTER_NAME", "Value": row["management"]["name"]},
        {"Type": "ORGANIZATION_FEATURE_SET", "Value": owner["feature_set"]},
    ]
    resources: list[dict[str, Any]] = [{"Type": "ORGANIZATION", "Value": owner["id"], "Resources": organization}]
    parties = [{"Id": owner["id"], "Type": "ORGANIZATION"}]
    if row["action"] != "ENABLE_ALL_FEATURES":
        resources.append({"Type": row["target_type"], "Value": row["target"]})
        parties.append({"Id": row["target"], "Type": row["target_type"]})
    if row["notes"]:
        resources.append({"Type": "NOTES", "Value": row["notes"]})
    if row["parent_handshake"]:
        resources.append({"Type": "PARENT_HANDSHAKE", "Value": row["parent_handshake"]})
    return {
        "Id": row["id"],
        "Arn": nouns.handshake_arn(owner, row),
        "Parties": parties,
        "State": row["state"],
        "RequestedTimestamp": row["requested_at"],
        "ExpirationTimestamp": row["expires_at"],
        "Action": row["action"],
        "Resources": resources,
    }


def page(
    request: Mapping[str, Any],
    member: str,
    rows: Sequence[Any],
    position: Callable[[Any], str],
    show: Callable[[Any], Any],
) -> dict[str, Any]:
    """A page of rows by a position that is theirs alone. Raises InvalidInputException for a foreign token."""
    ordered = sorted(rows, key=position)
    if token := request.get("NextToken"):
        try:
            after = decode_token(token)
        except ValueError as error:
            raise InvalidInputException("INVALID_NEXT_TOKEN", "The provided NextToken is not valid.") from error
        ordered = [row for row in ordered if position(row) > str(after)]
    limit = int(request.get("MaxResults") or _PAGE)
    shown: dict[str, Any] = {member: [show(row) for row in ordered[:limit]]}
    if len(ordered) > limit:
        shown["NextToken"] = encode_token(position(ordered[limit - 1]))
    return shown
