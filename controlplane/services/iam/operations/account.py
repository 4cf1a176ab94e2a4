"""The account as a whole."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.iam.attachments import MAX_ATTACHED
from controlplane.services.iam.documents import MANAGED_SIZE, TRUST_SIZE
from controlplane.services.iam.nouns import GROUP, ROLE, USER
from controlplane.services.iam.operations.access_keys import MAX_KEYS
from controlplane.services.iam.operations.groups import MAX_GROUPS
from controlplane.services.iam.operations.policies import MAX_VERSIONS
from controlplane.services.iam.queries import accounts

# Quotas that AWS gives every account and that this cloud does not enforce yet.
_SHOWN_QUOTAS = {
    "UsersQuota": 5000,
    "GroupsQuota": 300,
    "RolesQuota": 1000,
    "PoliciesQuota": 1500,
    "PolicyVersionsInUseQuota": 10000,
    "InstanceProfilesQuota": 1000,
    "ServerCertificatesQuota": 20,
    "SigningCertificatesPerUserQuota": 2,
}
# What this cloud cannot have yet.
_NONE = (
    "AccountMFAEnabled", "AccountPasswordPresent", "AccountSigningCertificatesPresent", "MFADevices",
    "MFADevicesInUse", "Providers", "ServerCertificates",
)  # fmt: skip


@operation("GetAccountSummary", on=ANY)
async def get_account_summary(ctx: Context, request: Any) -> dict[str, Any]:
    """Counts and quotas of the account."""
    counts = await accounts.counts(ctx)
    return {
        "SummaryMap": {
            **_SHOWN_QUOTAS,
            **dict.fromkeys(_NONE, 0),
            "Users": counts["users"],
            "Groups": counts["groups"],
            "Roles": counts["roles"],
            "Policies": counts["policies"],
            "PolicyVersionsInUse": counts["versions"],
            "InstanceProfiles": counts["profiles"],
            "AccountAccessKeysPresent": int(counts["root_keys"] > 0),
            "AccessKeysPerUserQuota": MAX_KEYS,
            "GroupsPerUserQuota": MAX_GROUPS,
            "VersionsPerPolicyQuota": MAX_VERSIONS,
            "AttachedPoliciesPerUserQuota": MAX_ATTACHED,
            "AttachedPoliciesPerGroupQuota": MAX_ATTACHED,
            "AttachedPoliciesPerRoleQuota": MAX_ATTACHED,
            "PolicySizeQuota": MANAGED_SIZE,
            "AssumeRolePolicySizeQuota": TRUST_SIZE,
            "UserPolicySizeQuota": USER.inline_bytes,
            "GroupPolicySizeQuota": GROUP.inline_bytes,
            "RolePolicySizeQuota": ROLE.inline_bytes,
            "GlobalEndpointTokenVersion": 1,
        }
    }
