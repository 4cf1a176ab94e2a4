"""What SNS does for the services that its messages go through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.core.offer import offer
from controlplane.services.sns import signing


@offer("Finish")
async def finish(ctx: Context, request: Mapping[str, Any]) -> str:
    """Sign the envelope `Text`. Nothing is to be asked: only who may read a message gets so far."""
    signer = await signing.signer(ctx.engine("database"), ctx.engine("sealing"))
    return signer.finish(request["Text"])
