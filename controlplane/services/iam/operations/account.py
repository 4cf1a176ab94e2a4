"""The account as a whole: summary, alias, preferences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.access.quotas import limit
from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.iam import quotas
from controlplane.services.iam.attachments import MAX_ATTACHED
from controlplane.services.iam.documents import MANAGED_SIZE, TRUST_SIZE
from controlplane.services.iam.errors import EntityAlreadyExists, NoSuchEntity
from controlplane.services.iam.nouns import GROUP, ROLE, USER
from controlplane.services.iam.operations import server_certificates, signing_certificates
from controlplane.services.iam.operations.access_keys import MAX_KEYS
from controlplane.services.iam.operations.groups import MAX_GROUPS
from controlplane.services.iam.operations.policies import MAX_VERSIONS
from controlplane.services.iam.queries import accounts

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        CreateAccountAliasRequestTypeDef,
        DeleteAccountAliasRequestTypeDef,
        SetSecurityTokenServicePreferencesRequestTypeDef,
    )

# A quota that AWS gives every account and that this cloud does not enforce.
_VERSIONS_IN_USE = 10000


@operation("GetAccountSummary", on=ANY)
async def get_account_summary(ctx: Context, request: Any) -> dict[str, Any]:
    """Counts and quotas of the account."""
    counts = await accounts.counts(ctx)
    return {
        "SummaryMap": {
            **{name: int(await limit(ctx.db, ctx.account_id, ctx.region, key)) for name, key in quotas.SUMMARY.items()},
            "PolicyVersionsInUseQuota": _VERSIONS_IN_USE,
            "AccountMFAEnabled": int(counts["root_devices"] > 0),
            "AccountPasswordPresent": 0,
            "AccountSigningCertificatesPresent": 0,
            "MFADevices": counts["devices"],
            "MFADevicesInUse": counts["used_devices"],
            "Providers": counts["providers"],
            "ServerCertificates": counts["certificates"],
            "ServerCertificatesQuota": server_certificates.MAX_CERTIFICATES,
            "SigningCertificatesPerUserQuota": signing_certificates.MAX_CERTIFICATES,
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
            "GlobalEndpointTokenVersion": counts["token_version"],
        }
    }


@operation("CreateAccountAlias", on=ANY)
async def create_account_alias(ctx: Context, request: CreateAccountAliasRequestTypeDef) -> None:
    """Name the account; an alias it had before is replaced. Raises EntityAlreadyExists."""
    if not await accounts.set_alias(ctx, request["AccountAlias"]):
        raise EntityAlreadyExists(f"The account alias {request['AccountAlias']} already exists.")


@operation("ListAccountAliases", on=ANY)
async def list_account_aliases(ctx: Context, request: Any) -> dict[str, Any]:
    """The account's alias, if it has one."""
    alias = await accounts.alias(ctx)
    return {"AccountAliases": [alias] if alias else [], "IsTruncated": False}


@operation("DeleteAccountAlias", on=ANY)
async def delete_account_alias(ctx: Context, request: DeleteAccountAliasRequestTypeDef) -> None:
    """Take the alias away. Raises NoSuchEntity."""
    if await accounts.alias(ctx) != request["AccountAlias"]:
        raise NoSuchEntity(f"The account alias {request['AccountAlias']} cannot be found.")
    await accounts.set_alias(ctx, None)


@operation("SetSecurityTokenServicePreferences", on=ANY)
async def set_security_token_service_preferences(
    ctx: Context, request: SetSecurityTokenServicePreferencesRequestTypeDef
) -> None:
    """Which tokens the global STS endpoint gives. Ours are good in every region either way."""
    await accounts.set_token_version(ctx, int(request["GlobalEndpointTokenVersion"][1]))
