"""Sending a mail, for both versions of the API: who may, to whom it goes, what is told of it."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.services.ses import (
    configuration_sets,
    events,
    fates,
    identities,
    mailing,
    relaying,
    sending_limits,
    suppression,
    tracking,
)
from controlplane.services.ses.addresses import all_bare, identities_of
from controlplane.services.ses.errors import (
    AccountSendingPaused,
    ConfigurationSetSendingPaused,
    InvalidParameterValue,
    NotVerified,
)
from controlplane.work.wake import wake

MOST_RECIPIENTS = 50
_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_VALUE = re.compile(r"[A-Za-z0-9_.@-]+", re.ASCII)
_OWN_TAGS = re.compile(r"ses:feedback-id-[a-d]")
"""Tags of SES's own that a sender may set."""
_IDENTITIES = """
SELECT * FROM ses_identities WHERE account_id = $1 AND region = $2 AND name = ANY($3) AND verified
"""
_ACCOUNT = "SELECT paused, settings FROM ses_accounts WHERE account_id = $1 AND region = $2"
_VIRUS = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""The string by which scanners are tried out. Nothing else is looked for."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail to send: the bare address it is from, whom it goes to, and with what."""

    source: str
    destinations: Sequence[str]
    mail: EmailMessage | bytes
    operation: str
    configuration_set: str | None = None
    tags: Sequence[Mapping[str, Any]] = ()


def recipients(destination: Mapping[str, Any]) -> list[str]:
    """All addresses of a Destination. Raises InvalidParameterValue."""
    members = ("ToAddresses", "CcAddresses", "BccAddresses")
    found = all_bare([address for member in members for address in destination.get(member) or ()])
    if not found:
        raise InvalidParameterValue("Empty required parameter: Destination")
    return checked(found)


def checked(found: list[str]) -> list[str]:
    """Raises InvalidParameterValue for too many."""
    if len(found) > MOST_RECIPIENTS:
        raise InvalidParameterValue(f"Recipient count exceeds {MOST_RECIPIENTS}.")
    return found


def check_tags(tags: Sequence[Mapping[str, Any]]) -> None:
    """Refuse message tags that break the rules. Raises InvalidParameterValue."""
    for tag in tags:
        if _OWN_TAGS.fullmatch(tag.get("Name") or ""):
            continue
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


async def send(ctx: Context, letter: Letter) -> str:
    """Sign a mail, keep it in the caller's mailbox, hand it to the relay if there is one. Answers its id.

    Raises MessageRejected for a source that is not verified, Throttling beyond the day's quota or the rate,
    ConfigurationSetDoesNotExist, and what says that sending is paused.
    """
    check_tags(letter.tags)
    names = identities_of(letter.source)
    rows = {row["name"]: row for row in await ctx.db.fetch(_IDENTITIES, ctx.account_id, ctx.region, list(names))}
    if not rows:
        raise NotVerified(ctx.region, letter.source)
    identity = next(rows[name] for name in names if name in rows)
    await _may_send_as(ctx, identity["name"])
    await _check_recipients(ctx, letter.destinations)
    account = await ctx.db.cached_row(_ACCOUNT, ctx.account_id, ctx.region)
    if account is not None and account["paused"]:
        raise AccountSendingPaused
    used = await _configuration_set(ctx, letter, identity)
    id = uuid4()
    message_id = f"{id}-000000"
    content = mailing.finished(letter.mail, message_id, ctx.region)
    if len(content) > mailing.LARGEST:
        raise InvalidParameterValue("Message length is more than 10485760 bytes long")
    facts = _facts(ctx, letter, identity, used, content, message_id)
    tracked = tracking.wanted(facts) if ctx.endpoint else set()
    if tracked:
        base, sealer = _tracker(ctx, used), ctx.engine("sealing")
        content = await asyncio.to_thread(tracking.rewritten, content, id, tracked, base, sealer)
    content = mailing.signed(ctx.engine("sealing"), rows.values(), content)
    box, settings = (ctx.account_id, ctx.region), account["settings"] if account is not None else {}
    why = suppression.reasons(settings, used["options"] if used else {})
    left_out = await suppression.among(ctx.db, box, letter.destinations, why)
    relayed = await relaying.configured(ctx.db)
    fate = fates.decide(letter.destinations, left_out, relayed=relayed)
    infected = _VIRUS in content
    waiting = [] if infected else fate.waiting
    # Last, since others of the account wait from here on until the commit.
    await sending_limits.claim(ctx, len(letter.destinations))
    await mailing.keep(
        ctx.db,
        ctx.engine("sealing"),
        box,
        id,
        letter.source,
        letter.destinations,
        content,
        bounced=0 if infected else len(fate.bounced) + len(fate.suppressed),
        complained=0 if infected else len(fate.complained),
        waiting=waiting,
        facts=facts if waiting or tracked else {},
    )
    first = events.Event("Send", {})
    after = [events.Event("Reject", {"reason": "Bad content"})] if infected else fate.events()
    await events.tell(ctx.db, ctx.account_id, facts, [first, *after])
    if waiting:
        await wake(ctx.db, relaying.RELAY, str(id))
    return message_id


async def _may_send_as(ctx: Context, identity: str) -> None:
    """Ask about the identity that the mail really goes by, where the request named another or none: a policy may speak
    of a domain, and the request of an address. Raises AccessDenied."""
    asked = identities.identity_arn(ctx, identity)
    if ctx.operation and ctx.principal.kind != "service" and all(resource.arn != asked for resource in ctx.resources):
        await ctx.authorize(f"ses:{ctx.operation}", Resource(asked))


async def _check_recipients(ctx: Context, destinations: Sequence[str]) -> None:
    """Where only verified addresses may be written to. The simulator's may always. Raises MessageRejected."""
    if ctx.cloud.mail_recipients == "any":
        return
    names = {address: identities_of(address) for address in destinations if not fates.is_simulated(address)}
    asked = sorted({name for found in names.values() for name in found})
    verified = {row["name"] for row in await ctx.db.fetch(_IDENTITIES, ctx.account_id, ctx.region, asked)}
    if failed := [address for address, found in names.items() if verified.isdisjoint(found)]:
        raise NotVerified(ctx.region, ", ".join(failed))


def _tracker(ctx: Context, used: Any) -> str:
    """Where links and pictures lead: the cloud, under the name that the configuration set says."""
    domain = (used["options"].get("TrackingOptions") or {}).get("CustomRedirectDomain")
    return f"{ctx.endpoint.partition('://')[0]}://{domain}" if domain else ctx.endpoint


async def check_verified(ctx: Context, address: str) -> None:
    """Raises MessageRejected for an address that the caller may not send from."""
    names = list(identities_of(address))
    if not await ctx.db.fetch(_IDENTITIES, ctx.account_id, ctx.region, names):
        raise NotVerified(ctx.region, address)


async def tell_failure(ctx: Context, letter: Letter, template: str, why: str) -> str | None:
    """A mail that its template could not be filled in for: told by an event, where the configuration set wants it, and
    taken as if it were sent. None where nobody would hear of it."""
    rows = await identities.named(ctx, list(identities_of(letter.source)))
    used = await _configuration_set(ctx, letter, rows[0]) if rows else None
    if not used or not any("RENDERING_FAILURE" in kinds for _, kinds in _topics(used)):
        return None
    message_id = f"{uuid4()}-000000"
    facts = _facts(ctx, letter, rows[0], used, b"", message_id)
    detail = {"templateName": template, "errorMessage": why}
    await events.tell(ctx.db, ctx.account_id, facts, [events.Event("Rendering Failure", detail)])
    return message_id


async def _configuration_set(ctx: Context, letter: Letter, identity: Any) -> Any:
    """The row of the set that the mail goes with, the identity's own if it says none."""
    name = letter.configuration_set or identity["settings"].get("ConfigurationSetName")
    if not name:
        return None
    row = await configuration_sets.read(ctx, name)
    if not (row["options"].get("SendingOptions") or {}).get("SendingEnabled", True):
        raise ConfigurationSetSendingPaused(name)
    return row


def _topics(used: Any) -> list[tuple[str, list[str]]]:
    return [
        (each["SnsDestination"]["TopicArn"], each["MatchingEventTypes"])
        for each in used["destinations"].values()
        if each.get("Enabled") and each.get("SnsDestination")
    ]


def _facts(ctx: Context, letter: Letter, identity: Any, used: Any, content: bytes, message_id: str) -> dict[str, Any]:
    """What events tell of a mail, and to whom."""
    own = identities.identity_arn(ctx, identity["name"])
    tags = {"ses:operation": [letter.operation]}
    if used:
        tags["ses:configuration-set"] = [used["name"]]
    tags |= {"ses:source-ip": [ctx.source_ip], "ses:from-domain": [letter.source.rpartition("@")[2]]}
    tags |= {"ses:caller-identity": [ctx.principal.arn.rpartition("/")[2]]}
    tags |= {tag["Name"]: [tag["Value"]] for tag in letter.tags}
    parsed = email.message_from_bytes(content.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", policy=email.policy.default)
    mail = events.described(
        parsed,
        message_id,
        source=letter.source,
        sourceArn=own,
        sendingAccountId=ctx.account_id,
        destination=list(letter.destinations),
    )
    settings = identity["settings"]
    return {
        "mail": {**mail, "tags": tags},
        "arn": own,
        "topics": _topics(used) if used else [],
        "identity": {
            kind: {"topic": topic, "headers": bool((settings.get("headers") or {}).get(kind))}
            for kind, topic in (settings.get("topics") or {}).items()
            if topic
        },
    }
