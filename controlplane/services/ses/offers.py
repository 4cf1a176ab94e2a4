"""Mail of other services: what SNS sends to subscribers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.core.offer import offer
from controlplane.services.ses import mailing
from controlplane.services.ses.addresses import bare


@offer("Mail")
async def mail(ctx: Context, request: Mapping[str, Any]) -> None:
    """Put a mail into the mailbox of the account whose resource it is about: `Source`, `To`, `Subject`, `Text`.

    Nothing is asked: the address is the cloud's own, and the mail goes nowhere but into that account's mailbox.
    """
    subject = " ".join(request["Subject"].split())
    made = mailing.compose(request["Source"], {"ToAddresses": [request["To"]]}, subject, text=request["Text"])
    await mailing.send_for_service(ctx, bare(request["Source"]), bare(request["To"]), made)
