"""Sending: plain, raw, from a template, to many; and how much was sent."""

from __future__ import annotations

import email
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import ANY, Resource, operation
from controlplane.services.ses import mailing, templates
from controlplane.services.ses.addresses import all_bare, bare, of_header
from controlplane.services.ses.errors import InvalidParameterValue
from controlplane.services.ses.operations.identities import identity_arn
from controlplane.services.ses.operations.templates import content_of

if TYPE_CHECKING:
    from types_boto3_ses.type_defs import (
        SendBulkTemplatedEmailRequestTypeDef,
        SendEmailRequestTypeDef,
        SendRawEmailRequestTypeDef,
        SendTemplatedEmailRequestTypeDef,
        UpdateAccountSendingEnabledRequestTypeDef,
    )

_MOST_RECIPIENTS = 50
_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_VALUE = re.compile(r"[A-Za-z0-9_.@-]+", re.ASCII)
_PAUSE = """
INSERT INTO ses_accounts (account_id, region, paused) VALUES ($1, $2, $3)
ON CONFLICT (account_id, region) DO UPDATE SET paused = excluded.paused
"""
_PAUSED = "SELECT paused FROM ses_accounts WHERE account_id = $1 AND region = $2"
_STATISTICS = """
SELECT date_bin('15 minutes', created_at, 'epoch') AS at, sum(jsonb_array_length(destinations)) AS sent FROM ses_mails
WHERE account_id = $1 AND region = $2 AND counted AND created_at > now() - interval '14 days' GROUP BY 1 ORDER BY 1
"""


def _from(ctx: Context, request: Any) -> Resource:
    """The identity that the mail is from."""
    return Resource(identity_arn(ctx, request.get("Source") or ""))


def _from_raw(ctx: Context, request: Any) -> Resource:
    source = request.get("Source") or ""
    return Resource(identity_arn(ctx, source))


@operation("SendEmail", on=_from)
async def send_email(ctx: Context, request: SendEmailRequestTypeDef) -> dict[str, Any]:
    """Send a mail of a subject and a body. Raises MessageRejected."""
    check_tags(request.get("Tags") or ())
    message = request["Message"]
    body = message["Body"]
    mail = mailing.compose(
        request["Source"],
        request["Destination"],
        message["Subject"]["Data"],
        text=body.get("Text", {}).get("Data"),
        html=body.get("Html", {}).get("Data"),
        reply_to=request.get("ReplyToAddresses"),
    )
    to = _recipients(request["Destination"])
    return {"MessageId": await mailing.send(ctx, bare(request["Source"]), to, mail)}


def _recipients(destination: Mapping[str, Any]) -> list[str]:
    members = ("ToAddresses", "CcAddresses", "BccAddresses")
    found = all_bare([address for member in members for address in destination.get(member) or ()])
    if not found:
        raise InvalidParameterValue("Empty required parameter: Destination")
    if len(found) > _MOST_RECIPIENTS:
        raise InvalidParameterValue(f"Recipient count exceeds {_MOST_RECIPIENTS}.")
    return found


def check_tags(tags: Sequence[Mapping[str, Any]]) -> None:
    """Refuse message tags that break the rules. Raises InvalidParameterValue."""
    for tag in tags:
        for kind, text, pattern, allowed in (
            ("name", tag.get("Name") or "", _NAME, "'_',  '-' are allowed."),
            ("value", tag.get("Value") or "", _VALUE, "'_',  '-' , '.', '@' are allowed."),
        ):
            if not text:
                raise InvalidParameterValue(f"The tag {kind} must be specified.")
            if len(text) > 255:
                raise InvalidParameterValue(f"Tag {kind} cannot exceed 255 characters.")
            if not pattern.fullmatch(text):
                raise InvalidParameterValue(
                    f"Invalid tag {kind} <{text}>: only alphanumeric ASCII characters, {allowed}"
                )


@operation("SendRawEmail", on=_from_raw)
async def send_raw_email(ctx: Context, request: SendRawEmailRequestTypeDef) -> dict[str, Any]:
    """Send a mail as it is. Raises MessageRejected, InvalidParameterValue."""
    check_tags(request.get("Tags") or ())
    raw = bytes(request["RawMessage"]["Data"])  # type: ignore[arg-type]
    mail = email.message_from_bytes(raw)
    heads = {name: [str(value) for value in mail.get_all(name) or ()] for name in ("From", "To", "Cc", "Bcc")}
    source = request.get("Source") or (of_header(heads["From"]) or [""])[0]
    if not source:
        raise InvalidParameterValue("Missing required header 'From'.")
    given = request.get("Destinations")
    to = all_bare(given) if given else of_header([*heads["To"], *heads["Cc"], *heads["Bcc"]])
    if not to:
        raise InvalidParameterValue("Missing required header 'To'.")
    if len(to) > _MOST_RECIPIENTS:
        raise InvalidParameterValue(f"Recipient count exceeds {_MOST_RECIPIENTS}.")
    lines = b"\r\n".join(raw.replace(b"\r\n", b"\n").split(b"\n"))
    return {"MessageId": await mailing.send(ctx, bare(source), to, lines)}


@operation("SendTemplatedEmail", on=_from)
async def send_templated_email(ctx: Context, request: SendTemplatedEmailRequestTypeDef) -> dict[str, Any]:
    """Send a mail made of a template. Raises TemplateDoesNotExist."""
    check_tags(request.get("Tags") or ())
    values = templates.data(request["TemplateData"])
    id = await _send_template(ctx, request, request["Template"], request["Destination"], values)
    return {"MessageId": id}


async def _send_template(
    ctx: Context, request: Any, name: str, destination: Mapping[str, Any], values: Mapping[str, Any]
) -> str:
    content = await content_of(ctx, name)
    subject = templates.render(content.get("SubjectPart", ""), values, markup=False)
    text, html = content.get("TextPart"), content.get("HtmlPart")
    mail = mailing.compose(
        request["Source"],
        destination,
        subject,
        text=None if text is None else templates.render(text, values, markup=False),
        html=None if html is None else templates.render(html, values, markup=True),
        reply_to=request.get("ReplyToAddresses"),
    )
    return await mailing.send(ctx, bare(request["Source"]), _recipients(destination), mail)


@operation("SendBulkTemplatedEmail", on=_from)
async def send_bulk_templated_email(ctx: Context, request: SendBulkTemplatedEmailRequestTypeDef) -> dict[str, Any]:
    """Send a template to up to fifty destinations; what fails is told for itself."""
    check_tags(request.get("DefaultTags") or ())
    await content_of(ctx, request["Template"])
    defaults = templates.data(request["DefaultTemplateData"])
    status = []
    for one in request["Destinations"]:
        try:
            values = {**defaults, **templates.data(one.get("ReplacementTemplateData") or "{}")}
            id = await _send_template(ctx, request, request["Template"], one["Destination"], values)
            status.append({"Status": "Success", "MessageId": id})
        except AwsError as error:
            if error.status >= 500:
                raise
            status.append({"Status": _status(error.code), "Error": error.message})
    return {"Status": status}


def _status(code: str) -> str:
    known = {"MessageRejected": "MessageRejected", "Throttling": "AccountThrottled"}
    return known.get(code, "InvalidParameterValue")


@operation("GetSendQuota", on=ANY)
async def get_send_quota(ctx: Context, request: Any) -> dict[str, Any]:
    """The sandbox's quota, and what is used of it."""
    sent = await mailing.sent_today(ctx)
    return {"Max24HourSend": float(mailing.MOST_A_DAY), "MaxSendRate": 1.0, "SentLast24Hours": float(sent)}


@operation("GetSendStatistics", on=ANY)
async def get_send_statistics(ctx: Context, request: Any) -> dict[str, Any]:
    """How much was sent in each quarter of an hour of the last two weeks."""
    rows = await ctx.db.fetch(_STATISTICS, ctx.account_id, ctx.region)
    none = {"Bounces": 0, "Complaints": 0, "Rejects": 0}
    return {"SendDataPoints": [{"Timestamp": row["at"], "DeliveryAttempts": int(row["sent"]), **none} for row in rows]}


@operation("GetAccountSendingEnabled", on=ANY)
async def get_account_sending_enabled(ctx: Context, request: Any) -> dict[str, Any]:
    """Whether the account may send."""
    return {"Enabled": not await ctx.db.fetchval(_PAUSED, ctx.account_id, ctx.region)}


@operation("UpdateAccountSendingEnabled", on=ANY)
async def update_account_sending_enabled(ctx: Context, request: UpdateAccountSendingEnabledRequestTypeDef) -> None:
    """Pause the account's sending, or go on."""
    await ctx.db.execute(_PAUSE, ctx.account_id, ctx.region, not request.get("Enabled", False))
