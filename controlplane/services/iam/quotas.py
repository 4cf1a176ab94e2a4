"""IAM's quotas: how many users, groups, roles, policies and instance profiles an account may have."""

from __future__ import annotations

from controlplane.core.context import Context
from controlplane.services.iam.errors import LimitExceeded

_IDENTITIES = "SELECT count(*) FROM access_identities WHERE account_id = $1 AND kind = '{}'"
_COUNTED = {
    # key: (statement, AWS's name of the quota)
    "iam/L-F55AF5E4": (_IDENTITIES.format("user"), "UsersPerAccount"),
    "iam/L-F4A5425F": (_IDENTITIES.format("group"), "GroupsPerAccount"),
    "iam/L-FE177D64": (_IDENTITIES.format("role"), "RolesPerAccount"),
    "iam/L-E95E4862": ("SELECT count(*) FROM access_policies WHERE account_id = $1", "PoliciesPerAccount"),
    "iam/L-6E65F664": (
        "SELECT count(*) FROM access_instance_profiles WHERE account_id = $1",
        "InstanceProfilesPerAccount",
    ),
}
USERS, GROUPS, ROLES, POLICIES, PROFILES = _COUNTED
SUMMARY = {
    "UsersQuota": USERS,
    "GroupsQuota": GROUPS,
    "RolesQuota": ROLES,
    "PoliciesQuota": POLICIES,
    "InstanceProfilesQuota": PROFILES,
}
"""What GetAccountSummary calls them."""


async def room_for_one(ctx: Context, key: str) -> None:
    """Raises LimitExceeded when the account may have no further one."""
    statement, name = _COUNTED[key]

    async def used() -> float:
        return float(await ctx.db.fetchval(statement, ctx.account_id))

    await ctx.within_quota(key, used, lambda limit: LimitExceeded(f"Cannot exceed quota for {name}: {limit}"))
