"""What SES serves beside its API: the account's mailbox."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from controlplane.core.arn import arn
from controlplane.core.context import Context
from controlplane.core.http import HttpResponse
from controlplane.core.operation import Resource
from controlplane.core.own_path import own_path
from controlplane.services.ses import mailing

_MOST = 100


@own_path("/ses/mailbox")
async def mailbox(ctx: Context, given: Mapping[str, str]) -> HttpResponse:
    """The account's mails in the region of the signature, newest first."""
    await ctx.authorize("ses:ListMails", Resource(arn("ses", ctx.region, ctx.account_id, "mailbox")))
    body = orjson.dumps({"Messages": await mailing.mailbox(ctx, _MOST)})
    return HttpResponse(200, {"content-type": "application/json", "cache-control": "no-store"}, body)
