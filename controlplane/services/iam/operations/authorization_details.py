"""Everything that says who may do what in an account, in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.core.paging import encode_token
from controlplane.services.iam import documents, shapes
from controlplane.services.iam.nouns import GROUP, ROLE, USER
from controlplane.services.iam.queries import authorization

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import GetAccountAuthorizationDetailsRequestTypeDef

_KINDS = {"User": USER.kind, "Group": GROUP.kind, "Role": ROLE.kind}
_ALL = {*_KINDS, "LocalManagedPolicy", "AWSManagedPolicy"}
_POLICIES = "policy:"
"""Pages go through the identities by id, then through the policies by ARN; a marker of the second part says so."""


@operation("GetAccountAuthorizationDetails", on=ANY)
async def get_account_authorization_details(
    ctx: Context, request: GetAccountAuthorizationDetailsRequestTypeDef
) -> dict[str, Any]:
    """Users, groups, roles and managed policies, of all kinds or of those that the filter names."""
    after, limit = shapes.asked(request)
    wanted: set[str] = set(request.get("Filter") or ()) or _ALL
    found: dict[str, Any] = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}
    left = limit
    if not (after or "").startswith(_POLICIES):
        kinds = [kind for name, kind in _KINDS.items() if name in wanted]
        rows = await authorization.identities(ctx, kinds, after, limit + 1) if kinds else []
        await _show_identities(ctx, found, rows[:limit])
        if len(rows) > limit:
            return {**found, "IsTruncated": True, "Marker": encode_token(rows[limit - 1]["id"])}
        left, after = limit - len(rows), _POLICIES
    own, aws = "LocalManagedPolicy" in wanted, "AWSManagedPolicy" in wanted
    start = (after or "").removeprefix(_POLICIES) or None
    rows = await authorization.policies(ctx, own, aws, start, left + 1) if own or aws else []
    found["Policies"] = await _policies(ctx, rows[:left])
    if len(rows) > left:
        last = rows[left - 1]["arn"] if left else start or ""
        return {**found, "IsTruncated": True, "Marker": encode_token(_POLICIES + last)}
    return {**found, "IsTruncated": False}


async def _show_identities(ctx: Context, found: dict[str, Any], rows: list[Any]) -> None:
    rows = await documents.with_names(ctx, rows)
    roles = [row["id"] for row in rows if row["kind"] == ROLE.kind]
    profiles: dict[str, list[Any]] = {}
    held_by = await authorization.profiles(ctx, roles) if roles else []
    for row in await documents.with_names(ctx, held_by, "role_trust_policy"):
        profiles.setdefault(row["role_id"], []).append(shapes.profile(row))
    for row in rows:
        inline = [
            {"PolicyName": item["name"], "PolicyDocument": shapes.encoded(item["document"])} for item in row["inline"]
        ]
        attached = [{"PolicyName": item["name"], "PolicyArn": item["arn"]} for item in row["attached"]]
        if row["kind"] == USER.kind:
            shown = shapes.user({**row, "password_used_at": None})
            found["UserDetailList"].append(
                {**shown, "UserPolicyList": inline, "GroupList": row["groups"], "AttachedManagedPolicies": attached}
            )
        elif row["kind"] == GROUP.kind:
            found["GroupDetailList"].append(
                {**shapes.group(row), "GroupPolicyList": inline, "AttachedManagedPolicies": attached}
            )
        else:
            shown = shapes.role(row)
            del shown["MaxSessionDuration"]
            shown.pop("Description", None)
            held = {"InstanceProfileList": profiles.get(row["id"], []), "RolePolicyList": inline}
            found["RoleDetailList"].append({**shown, **held, "AttachedManagedPolicies": attached})


async def _policies(ctx: Context, rows: list[Any]) -> list[dict[str, Any]]:
    versions: dict[str, list[Any]] = {}
    for row in await authorization.versions(ctx, [row["arn"] for row in rows]) if rows else []:
        versions.setdefault(row["policy_arn"], []).append(row)
    shown = []
    for row in rows:
        listed = [shapes.policy_version(item, row["default_version"]) for item in versions[row["arn"]]]
        shown.append({**shapes.policy(row), "PolicyVersionList": listed})
        del shown[-1]["Tags"]
    return shown
