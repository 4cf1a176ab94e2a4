"""The account as a whole."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context

_COUNTS = """
SELECT
  (SELECT count(*) FROM access_identities WHERE account_id = $1 AND kind = 'user') AS users,
  (SELECT count(*) FROM access_identities WHERE account_id = $1 AND kind = 'group') AS groups,
  (SELECT count(*) FROM access_identities WHERE account_id = $1 AND kind = 'role') AS roles,
  (SELECT count(*) FROM access_policies WHERE account_id = $1) AS policies,
  (SELECT count(*) FROM access_policy_versions v JOIN access_policies p ON p.arn = v.policy_arn
   WHERE p.account_id = $1) AS versions,
  (SELECT count(*) FROM access_instance_profiles WHERE account_id = $1) AS profiles,
  (SELECT count(*) FROM access_keys WHERE account_id = $1 AND user_id IS NULL) AS root_keys,
  (SELECT count(*) FROM access_mfa_devices WHERE account_id = $1) AS devices,
  (SELECT count(*) FROM access_mfa_devices WHERE account_id = $1 AND owner_id IS NOT NULL) AS used_devices,
  (SELECT count(*) FROM access_mfa_devices WHERE account_id = $1 AND owner_id = $1) AS root_devices,
  (SELECT count(*) FROM access_providers WHERE account_id = $1) AS providers,
  (SELECT count(*) FROM iam_server_certificates WHERE account_id = $1) AS certificates,
  token_version
FROM access_accounts WHERE id = $1
"""
_ALIAS = "SELECT alias FROM access_accounts WHERE id = $1"
_TAKEN = "SELECT 1 FROM access_accounts WHERE alias = $1 AND id <> $2 AND closed_at IS NULL"
_SET_ALIAS = "UPDATE access_accounts SET alias = $2 WHERE id = $1"
_SET_TOKENS = "UPDATE access_accounts SET token_version = $2 WHERE id = $1"


async def counts(ctx: Context) -> Any:
    """How many of each noun the account has."""
    return await ctx.db.fetchrow(_COUNTS, ctx.account_id)


async def alias(ctx: Context) -> str | None:
    """The account's alias."""
    found: str | None = await ctx.db.fetchval(_ALIAS, ctx.account_id)
    return found


async def set_alias(ctx: Context, alias: str | None) -> bool:
    """Give the account an alias, or none; False when another has it (of two at once the database refuses one)."""
    if alias is not None and await ctx.db.fetchval(_TAKEN, alias, ctx.account_id):
        return False
    await ctx.db.execute(_SET_ALIAS, ctx.account_id, alias)
    return True


async def set_token_version(ctx: Context, version: int) -> None:
    await ctx.db.execute(_SET_TOKENS, ctx.account_id, version)
