"""What SNS serves beside its API: the certificate of its signatures, and the outbox of text messages."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from controlplane.core.arn import arn
from controlplane.core.context import Context
from controlplane.core.http import HttpResponse
from controlplane.core.operation import Resource
from controlplane.core.own_path import own_path
from controlplane.services.sns import signing, sms
from controlplane.services.sns.errors import NotFound

_MOST = 1000


@own_path("/sns/sms")
async def outbox(ctx: Context, given: Mapping[str, str]) -> HttpResponse:
    """The account's text messages, newest first."""
    await ctx.authorize("sns:ListSMSMessages", Resource(arn("sns", ctx.region, ctx.account_id, "sms")))
    body = orjson.dumps({"Messages": await sms.outbox(ctx, _MOST)})
    return HttpResponse(200, {"content-type": "application/json", "cache-control": "no-store"}, body)


@own_path("/sns/{file}", signed=False)
async def certificate(ctx: Context, given: Mapping[str, str]) -> HttpResponse:
    """The certificate by which notifications are verified."""
    signer = await signing.signer(ctx.engine("database"), ctx.engine("sealing"))
    if given["file"] != signer.file:
        raise NotFound("Certificate")
    return HttpResponse(200, {"content-type": "application/x-pem-file"}, signer.certificate.encode())
