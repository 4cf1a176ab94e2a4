"""What an account has set for all of its mail in a region."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context

_READ = "SELECT paused, settings FROM ses_accounts WHERE account_id = $1 AND region = $2"
_PAUSE = """
INSERT INTO ses_accounts (account_id, region, paused) VALUES ($1, $2, $3)
ON CONFLICT (account_id, region) DO UPDATE SET paused = excluded.paused
"""
_SET = """
INSERT INTO ses_accounts (account_id, region, settings) VALUES ($1, $2, $3)
ON CONFLICT (account_id, region) DO UPDATE SET settings = ses_accounts.settings || excluded.settings
"""


async def read(ctx: Context) -> Any:
    """`paused` and `settings`."""
    return await ctx.db.cached_row(_READ, ctx.account_id, ctx.region) or {"paused": False, "settings": {}}


async def pause(ctx: Context, *, paused: bool) -> None:
    await ctx.db.execute(_PAUSE, ctx.account_id, ctx.region, paused)


async def put(ctx: Context, **settings: Any) -> None:
    """Change some of the settings."""
    await ctx.db.execute(_SET, ctx.account_id, ctx.region, settings)
