"""What S3 does for S3 Control: it keeps an account's block of public access."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.core.offer import offer
from controlplane.services.s3.operations.policies import BLOCKS
from controlplane.services.s3.queries import buckets as queries


@offer("AccountBlock")
async def account_block(ctx: Context, request: Mapping[str, Any]) -> Any:
    """The caller's account's block; None where there is none. S3 Control has asked for permission."""
    return await queries.account_block(ctx.db, ctx.account_id)


@offer("PutAccountBlock")
async def put_account_block(ctx: Context, request: Mapping[str, Any]) -> None:
    """Keep `Block`; None removes it. S3 Control has asked for permission."""
    given = request["Block"]
    block = None if given is None else {name: bool(given.get(name)) for name in BLOCKS}
    await queries.put_account_block(ctx.db, ctx.account_id, block)
