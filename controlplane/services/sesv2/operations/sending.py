"""Sending: simple, raw, from a template, to many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.utils import parseaddr
from typing import Any

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import Resource
from controlplane.services.ses import composing, outgoing, template_store, templates
from controlplane.services.ses.configuration_sets import set_arn
from controlplane.services.ses.errors import SendingRateExceeded
from controlplane.services.ses.identities import identity_arn
from controlplane.services.sesv2.declaring import operation
from controlplane.services.sesv2.errors import BadRequestException

_PARTS = {"Subject": "SubjectPart", "Text": "TextPart", "Html": "HtmlPart"}
_STATUS = {
    "MessageRejected": "MESSAGE_REJECTED",
    "Throttling": "ACCOUNT_DAILY_QUOTA_EXCEEDED",
    "ConfigurationSetDoesNotExist": "CONFIGURATION_SET_NOT_FOUND",
    "AccountSendingPausedException": "ACCOUNT_SENDING_PAUSED",
    "ConfigurationSetSendingPausedException": "CONFIGURATION_SET_SENDING_PAUSED",
    "TemplateDoesNotExist": "TEMPLATE_NOT_FOUND",
}


def _status(error: AwsError) -> str:
    if isinstance(error, SendingRateExceeded):
        return "ACCOUNT_THROTTLED"
    return _STATUS.get(error.code, "INVALID_PARAMETER")


def _from(ctx: Context, request: Any) -> Sequence[Resource]:
    """The identity that the mail is from, and the configuration set that it goes with."""
    used, source = request.get("ConfigurationSetName"), parseaddr(request.get("FromEmailAddress") or "")[1]
    sets = [Resource(set_arn(ctx, used))] if used else []
    return [Resource(identity_arn(ctx, source)), *sets]


def _letter(request: Any, operation: str, tags: Any) -> dict[str, Any]:
    used = request.get("ConfigurationSetName")
    return {"operation": operation, "configuration_set": used, "tags": tags or ()}


async def _template(ctx: Context, given: Mapping[str, Any]) -> tuple[str, Mapping[str, str]]:
    """Name and parts of a kept template, or of one that the request brings."""
    inline = given.get("TemplateContent")
    if inline:
        return "", {_PARTS[part]: text for part, text in inline.items() if part in _PARTS}
    name = given.get("TemplateName") or str(given.get("TemplateArn") or "").rpartition("/")[2]
    if not name:
        raise BadRequestException("A template's name, ARN or content is required.")
    return name, await template_store.read(ctx, name)


@operation("SendEmail", on=_from)
async def send_email(ctx: Context, request: Any) -> dict[str, Any]:
    """Send one mail. Raises MessageRejected, BadRequestException, NotFoundException, SendingPausedException."""
    content, destination = request["Content"], request.get("Destination") or {}
    kinds = [kind for kind in ("Simple", "Raw", "Template") if content.get(kind)]
    if len(kinds) != 1:
        raise BadRequestException("Exactly one of Simple, Raw and Template is required.")
    source, letter = request.get("FromEmailAddress"), _letter(request, "SendEmail", request.get("EmailTags"))
    given = content[kinds[0]]
    if kinds == ["Raw"]:
        members = ("ToAddresses", "CcAddresses", "BccAddresses")
        to = [address for member in members for address in destination.get(member) or ()]
        return {"MessageId": await composing.send_raw(ctx, bytes(given["Data"]), source, to, letter)}
    if not source:
        raise BadRequestException("FromEmailAddress is required.")
    more = {"reply_to": request.get("ReplyToAddresses"), "letter": letter}
    more |= {"headers": given.get("Headers"), "attachments": given.get("Attachments")}
    if kinds == ["Simple"]:
        return {"MessageId": await composing.send_simple(ctx, source, destination, given, **more)}
    template, values = await _template(ctx, given), templates.data(given.get("TemplateData") or "{}")
    return {"MessageId": await composing.send_template(ctx, source, destination, template, values, **more)}


@operation("SendBulkEmail", on=_from)
async def send_bulk_email(ctx: Context, request: Any) -> dict[str, Any]:
    """Send a template to up to fifty destinations; what fails is told for itself."""
    source, given = request.get("FromEmailAddress"), request["DefaultContent"].get("Template")
    if not source or not given:
        raise BadRequestException("FromEmailAddress and a template are required.")
    if not 0 < len(request["BulkEmailEntries"]) <= outgoing.MOST_RECIPIENTS:
        raise BadRequestException(f"There must be 1 to {outgoing.MOST_RECIPIENTS} entries.")
    template, defaults = await _template(ctx, given), templates.data(given.get("TemplateData") or "{}")
    told: list[dict[str, Any]] = []
    for entry in request["BulkEmailEntries"]:
        replaced = (entry.get("ReplacementEmailContent") or {}).get("ReplacementTemplate") or {}
        tags = _both("Name", request.get("DefaultEmailTags"), entry.get("ReplacementTags"))
        more = {
            "reply_to": request.get("ReplyToAddresses"),
            "letter": _letter(request, "SendBulkEmail", tags),
            "headers": _both("Name", given.get("Headers"), entry.get("ReplacementHeaders")),
            "attachments": given.get("Attachments"),
        }
        try:
            values = {**defaults, **templates.data(replaced.get("ReplacementTemplateData") or "{}")}
            id = await composing.send_template(ctx, source, entry["Destination"], template, values, **more)
            told.append({"Status": "SUCCESS", "MessageId": id})
        except AwsError as error:
            if error.status >= 500:
                raise
            told.append({"Status": _status(error), "Error": error.message})
            if isinstance(error, SendingRateExceeded):  # so will the rest, and others of the account wait for this one
                told += [told[-1]] * (len(request["BulkEmailEntries"]) - len(told))
                break
    return {"BulkEmailEntryResults": told}


def _both(key: str, first: Any, second: Any) -> list[Mapping[str, Any]]:
    """Items of two lists; of those with the same key the second's."""
    return list({each[key].lower(): each for each in (*(first or ()), *(second or ()))}.values())
