"""What SES serves beside its API: the account's mailbox, and what mails lead to whose opens and clicks are counted."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from controlplane.core.arn import arn
from controlplane.core.context import Context
from controlplane.core.http import HttpResponse
from controlplane.core.operation import Resource
from controlplane.core.own_path import own_path
from controlplane.services.ses import mailing, tracking

_MOST = 100


@own_path("/ses/mailbox")
async def mailbox(ctx: Context, given: Mapping[str, str]) -> HttpResponse:
    """The account's mails in the region of the signature, newest first."""
    await ctx.authorize("ses:ListMails", Resource(arn("ses", ctx.region, ctx.account_id, "mailbox")))
    body = orjson.dumps({"Messages": await mailing.mailbox(ctx, _MOST)})
    return HttpResponse(200, {"content-type": "application/json", "cache-control": "no-store"}, body)


@own_path("/ses/open/{token}", signed=False)
async def opened(ctx: Context, given: Mapping[str, str]) -> HttpResponse:
    """The picture of a mail, whose loading tells that it was opened."""
    await tracking.seen(ctx, given["token"])
    return HttpResponse(200, {"content-type": "image/gif", "cache-control": "no-store"}, tracking.PIXEL)


@own_path("/ses/click/{token}", signed=False)
async def clicked(ctx: Context, given: Mapping[str, str]) -> HttpResponse:
    """On to where a link of a mail leads."""
    link = await tracking.seen(ctx, given["token"])
    if not link:
        return HttpResponse(404, {"content-type": "text/plain"}, b"no such link\n")
    return HttpResponse(302, {"location": link, "cache-control": "no-store"}, b"")
