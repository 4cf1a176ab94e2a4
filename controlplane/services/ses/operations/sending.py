"""Sending: plain, raw, from a template, to many; and how much was sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import ANY, Resource, operation
from controlplane.services.ses import composing, mailing, outgoing, sending_limits, settings, template_store, templates
from controlplane.services.ses.configuration_sets import set_arn
from controlplane.services.ses.errors import SendingRateExceeded
from controlplane.services.ses.identities import identity_arn

if TYPE_CHECKING:
    from types_boto3_ses.type_defs import (
        SendBulkTemplatedEmailRequestTypeDef,
        SendEmailRequestTypeDef,
        SendRawEmailRequestTypeDef,
        SendTemplatedEmailRequestTypeDef,
        UpdateAccountSendingEnabledRequestTypeDef,
    )


def _from(ctx: Context, request: Any) -> Sequence[Resource]:
    """The identity that the mail is from, and the configuration set that it goes with."""
    used = request.get("ConfigurationSetName")
    sets = [Resource(set_arn(ctx, used))] if used else []
    return [Resource(identity_arn(ctx, request.get("Source") or "")), *sets]


def _letter(request: Any, operation: str, tags: str = "Tags") -> dict[str, Any]:
    used = request.get("ConfigurationSetName")
    return {"operation": operation, "configuration_set": used, "tags": request.get(tags) or ()}


@operation("SendEmail", on=_from)
async def send_email(ctx: Context, request: SendEmailRequestTypeDef) -> dict[str, Any]:
    """Send a mail of a subject and a body. Raises MessageRejected."""
    more = {"reply_to": request.get("ReplyToAddresses"), "letter": _letter(request, "SendEmail")}
    id = await composing.send_simple(ctx, request["Source"], request["Destination"], request["Message"], **more)
    return {"MessageId": id}


@operation("SendRawEmail", on=_from)
async def send_raw_email(ctx: Context, request: SendRawEmailRequestTypeDef) -> dict[str, Any]:
    """Send a mail as it is. Raises MessageRejected, InvalidParameterValue."""
    raw, given = bytes(request["RawMessage"]["Data"]), request.get("Destinations")  # type: ignore[arg-type]
    letter = _letter(request, "SendRawEmail")
    return {"MessageId": await composing.send_raw(ctx, raw, request.get("Source"), given, letter)}


@operation("SendTemplatedEmail", on=_from)
async def send_templated_email(ctx: Context, request: SendTemplatedEmailRequestTypeDef) -> dict[str, Any]:
    """Send a mail made of a template. Raises TemplateDoesNotExist."""
    outgoing.check_tags(request.get("Tags") or ())
    values = templates.data(request["TemplateData"])
    template = (request["Template"], await template_store.read(ctx, request["Template"]))
    more = {"reply_to": request.get("ReplyToAddresses"), "letter": _letter(request, "SendTemplatedEmail")}
    id = await composing.send_template(ctx, request["Source"], request["Destination"], template, values, **more)
    return {"MessageId": id}


@operation("SendBulkTemplatedEmail", on=_from)
async def send_bulk_templated_email(ctx: Context, request: SendBulkTemplatedEmailRequestTypeDef) -> dict[str, Any]:
    """Send a template to up to fifty destinations; what fails is told for itself."""
    outgoing.check_tags(request.get("DefaultTags") or ())
    template = (request["Template"], await template_store.read(ctx, request["Template"]))
    defaults = templates.data(request["DefaultTemplateData"])
    letter = _letter(request, "SendBulkTemplatedEmail", "DefaultTags")
    status: list[dict[str, Any]] = []
    for one in request["Destinations"]:
        own = {**letter, "tags": one.get("ReplacementTags") or letter["tags"]}
        more = {"reply_to": request.get("ReplyToAddresses"), "letter": own}
        try:
            values = {**defaults, **templates.data(one.get("ReplacementTemplateData") or "{}")}
            id = await composing.send_template(ctx, request["Source"], one["Destination"], template, values, **more)
            status.append({"Status": "Success", "MessageId": id})
        except AwsError as error:
            if error.status >= 500:
                raise
            status.append({"Status": _status(error), "Error": error.message})
            if isinstance(error, SendingRateExceeded):  # so will the rest, and others of the account wait for this one
                status += [status[-1]] * (len(request["Destinations"]) - len(status))
                break
    return {"Status": status}


_STATUS = {
    "MessageRejected": "MessageRejected",
    "Throttling": "AccountDailyQuotaExceeded",
    "ConfigurationSetDoesNotExist": "ConfigurationSetDoesNotExist",
    "AccountSendingPausedException": "AccountSendingPaused",
    "ConfigurationSetSendingPausedException": "ConfigurationSetSendingPaused",
}


def _status(error: AwsError) -> str:
    if isinstance(error, SendingRateExceeded):
        return "AccountThrottled"
    return _STATUS.get(error.code, "InvalidParameterValue")


@operation("GetSendQuota", on=ANY)
async def get_send_quota(ctx: Context, request: Any) -> dict[str, Any]:
    """What the account may send, and how much of it is used."""
    return await sending_limits.told(ctx)


@operation("GetSendStatistics", on=ANY)
async def get_send_statistics(ctx: Context, request: Any) -> dict[str, Any]:
    """How much was sent in each quarter of an hour of the last two weeks."""
    return {
        "SendDataPoints": [
            {
                "Timestamp": row["at"],
                "DeliveryAttempts": int(row["sent"]),
                "Bounces": int(row["bounced"]),
                "Complaints": int(row["complained"]),
                "Rejects": 0,
            }
            for row in await mailing.statistics(ctx)
        ]
    }


@operation("GetAccountSendingEnabled", on=ANY)
async def get_account_sending_enabled(ctx: Context, request: Any) -> dict[str, Any]:
    """Whether the account may send."""
    return {"Enabled": not (await settings.read(ctx))["paused"]}


@operation("UpdateAccountSendingEnabled", on=ANY)
async def update_account_sending_enabled(ctx: Context, request: UpdateAccountSendingEnabledRequestTypeDef) -> None:
    """Pause the account's sending, or go on."""
    await settings.pause(ctx, paused=not request.get("Enabled", False))
