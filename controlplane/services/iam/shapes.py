"""Rows as the structures that IAM answers with, and pages of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from controlplane.core.paging import decode_token, encode_token
from controlplane.core.tags import to_list
from controlplane.services.iam.errors import ValidationError
from controlplane.services.iam.nouns import GROUP, POLICY, PROFILE, ROLE, USER

_PAGE = 100


def user(row: Mapping[str, Any], *, details: bool = True) -> dict[str, Any]:
    """A User; lists leave out tags and boundary."""
    shown = {
        "Path": row["path"],
        "UserName": row["name"],
        "UserId": row["id"],
        "Arn": USER.arn_of(row),
        "CreateDate": row["created_at"],
    }
    if row["password_used_at"]:
        shown["PasswordLastUsed"] = row["password_used_at"]
    return {**shown, **_details(row)} if details else shown


def group(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Path": row["path"],
        "GroupName": row["name"],
        "GroupId": row["id"],
        "Arn": GROUP.arn_of(row),
        "CreateDate": row["created_at"],
    }


def role(row: Mapping[str, Any], *, details: bool = True) -> dict[str, Any]:
    """A Role; lists leave out tags, boundary and last use."""
    shown: dict[str, Any] = {
        "Path": row["path"],
        "RoleName": row["name"],
        "RoleId": row["id"],
        "Arn": ROLE.arn_of(row),
        "CreateDate": row["created_at"],
        "AssumeRolePolicyDocument": encoded(row["trust_policy"]),
        "MaxSessionDuration": row["max_session_seconds"],
    }
    if row["description"]:
        shown["Description"] = row["description"]
    if not details:
        return shown
    used = {"LastUsedDate": row["last_used_at"], "Region": row["last_used_region"]} if row["last_used_at"] else {}
    return {**shown, **_details(row), "RoleLastUsed": used}


def profile(row: Mapping[str, Any], *, tags: bool = False) -> dict[str, Any]:
    """An InstanceProfile with its role in a list of none or one; lists leave out the tags."""
    roles = []
    if row["role_id"]:
        of_role = {name: row[f"role_{name}"] for name in ("name", "path", "created_at", "trust_policy", "description")}
        more = {
            "id": row["role_id"],
            "account_id": row["account_id"],
            "max_session_seconds": row["role_max_session_seconds"],
        }
        held = role({**of_role, **more}, details=False)
        del held["MaxSessionDuration"]
        roles.append(held)
    shown = {
        "Path": row["path"],
        "InstanceProfileName": row["name"],
        "InstanceProfileId": row["id"],
        "Arn": PROFILE.arn_of(row),
        "CreateDate": row["created_at"],
        "Roles": roles,
    }
    return {**shown, "Tags": to_list(row["tags"])} if tags else shown


def policy(row: Mapping[str, Any], *, details: bool = True) -> dict[str, Any]:
    """A Policy; lists leave out description and tags."""
    shown = {
        "PolicyName": row["name"],
        "PolicyId": row["id"],
        "Arn": row["arn"],
        "Path": row["path"],
        "DefaultVersionId": f"v{row['default_version']}",
        "AttachmentCount": row["attachments"],
        "PermissionsBoundaryUsageCount": row["boundaries"],
        "IsAttachable": True,
        "CreateDate": row["created_at"],
        "UpdateDate": row["updated_at"],
    }
    if not details:
        return shown
    if row["description"]:
        shown["Description"] = row["description"]
    return {**shown, "Tags": to_list(row["tags"])}


def policy_version(row: Mapping[str, Any], default: int, *, document: bool = True) -> dict[str, Any]:
    shown = {
        "VersionId": f"v{row['version']}",
        "IsDefaultVersion": row["version"] == default,
        "CreateDate": row["created_at"],
    }
    return {"Document": encoded(row["document"]), **shown} if document else shown


def _details(row: Mapping[str, Any]) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if row["boundary_arn"]:
        more["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": row["boundary_arn"],
        }
    if row["tags"]:
        more["Tags"] = to_list(row["tags"])
    return more


def encoded(document: str) -> str:
    """A policy document as IAM gives it out, percent-encoded."""
    return quote(document, safe="")


def asked(request: Mapping[str, Any]) -> tuple[str | None, int]:
    """Where a list goes on and how many items it may have. Raises ValidationError for a foreign marker."""
    marker = request.get("Marker")
    try:
        after = decode_token(marker) if marker else None
    except ValueError as error:
        raise ValidationError("Invalid Marker.") from error
    if after is not None and not isinstance(after, str):
        raise ValidationError("Invalid Marker.")
    return after, int(request.get("MaxItems") or _PAGE)


def page(
    member: str, rows: Sequence[Any], limit: int, show: Callable[[Any], Any], position: Callable[[Any], str]
) -> dict[str, Any]:
    """A page of at most `limit` items of the rows, which were asked for with one more to see whether there is one."""
    kept = rows[:limit]
    shown: dict[str, Any] = {member: [show(row) for row in kept], "IsTruncated": len(rows) > limit}
    if shown["IsTruncated"]:
        shown["Marker"] = encode_token(position(kept[-1]))
    return shown


def tag_page(request: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    """A page of tags, by key."""
    after, limit = asked(request)
    rows = [tag for tag in to_list(tags) if after is None or tag["Key"] > after]
    return page("Tags", rows, limit, lambda tag: tag, lambda tag: str(tag["Key"]))


def by_name(row: Any) -> str:
    return str(row["name"])


def is_policy_arn(text: str) -> bool:
    """Whether a text has the form of a managed policy's ARN."""
    return text.startswith("arn:aws:iam::") and f":{POLICY.kind}/" in text
