"""The block of public access of a whole account; S3 keeps it, beside its buckets, and holds to it."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, Request, operation
from controlplane.services.s3control.accounts import check_account
from controlplane.services.s3control.errors import InvalidRequest, NoSuchPublicAccessBlockConfiguration

_GET, _PUT = "s3:GetAccountPublicAccessBlock", "s3:PutAccountPublicAccessBlock"


@operation("GetPublicAccessBlock", on=ANY, action=_GET)
async def get_public_access_block(ctx: Context, request: Request) -> dict[str, Any]:
    """What of public access is blocked in all buckets. Raises NoSuchPublicAccessBlockConfiguration."""
    check_account(ctx, request)
    found = await ctx.ask("s3", "AccountBlock", {})
    if found is None:
        raise NoSuchPublicAccessBlockConfiguration("The public access block configuration was not found")
    return {"PublicAccessBlockConfiguration": found}


@operation("PutPublicAccessBlock", on=ANY, action=_PUT)
async def put_public_access_block(ctx: Context, request: Request) -> None:
    """Block it, whatever the buckets say themselves. Raises InvalidRequest."""
    check_account(ctx, request)
    given = request["PublicAccessBlockConfiguration"]
    if not given:
        raise InvalidRequest("Must specify at least one configuration.")
    await ctx.ask("s3", "PutAccountBlock", {"Block": given})


@operation("DeletePublicAccessBlock", on=ANY, action=_PUT)
async def delete_public_access_block(ctx: Context, request: Request) -> None:
    """Leave it to the buckets."""
    check_account(ctx, request)
    await ctx.ask("s3", "PutAccountBlock", {"Block": None})
