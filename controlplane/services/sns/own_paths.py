"""What SNS serves beside its API: the certificate of its signatures and the outbox of messages for phones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from controlplane.core.arn import arn
from controlplane.core.context import Context
from controlplane.core.http import HttpResponse
from controlplane.core.operation import Resource
from controlplane.core.own_path import own_path
from controlplane.services.sns import outbox, signing
from controlplane.services.sns.errors import NotFound

_MOST = 1000


@own_path("/sns/sms")
async def texts(ctx: Context, given: Mapping[str, str]) -> HttpResponse:
    """The account's text messages, newest first."""
    await ctx.authorize("sns:ListSMSMessages", Resource(arn("sns", ctx.region, ctx.account_id, "sms")))
    return _json({"Messages": await outbox.listed(ctx, "sms", _MOST)})


@own_path("/sns/push")
async def pushes(ctx: Context, given: Mapping[str, str]) -> HttpResponse:
    """What the account's devices were told, newest first."""
    await ctx.authorize("sns:ListPushMessages", Resource(arn("sns", ctx.region, ctx.account_id, "push")))
    return _json({"Messages": await outbox.listed(ctx, "push", _MOST)})


def _json(told: Mapping[str, Any]) -> HttpResponse:
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    return HttpResponse(200, headers, orjson.dumps(told))


@own_path("/sns/{file}", signed=False)
async def certificate(ctx: Context, given: Mapping[str, str]) -> HttpResponse:
    """The certificate by which notifications are verified."""
    signer = await signing.signer(ctx.engine("database"), ctx.engine("sealing"))
    if given["file"] != signer.file:
        raise NotFound("Certificate")
    return HttpResponse(200, {"content-type": "application/x-pem-file"}, signer.certificate.encode())
