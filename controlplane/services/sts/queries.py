"""What STS reads of identity providers."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context

_PROVIDER = """
SELECT p.content FROM access_providers p JOIN access_accounts a ON a.id = p.account_id
WHERE p.kind = $1 AND p.account_id = $2 AND p.arn = $3 AND a.closed_at IS NULL
"""


async def provider(ctx: Context, kind: str, account_id: str, arn: str) -> Any:
    """The content of a provider of an account that is not closed, or None."""
    return await ctx.db.fetchval(_PROVIDER, kind, account_id, arn)
