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
  (SELECT count(*) FROM access_keys WHERE account_id = $1 AND user_id IS NULL) AS root_keys
"""


async def counts(ctx: Context) -> Any:
    """How many of each noun the account has."""
    return await ctx.db.fetchrow(_COUNTS, ctx.account_id)
