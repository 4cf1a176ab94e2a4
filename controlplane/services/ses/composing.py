"""Mails out of what requests of both versions say, and sent."""

from __future__ import annotations

import email
from collections.abc import Mapping, Sequence
from typing import Any

from controlplane.core.context import Context
from controlplane.services.ses import mailing, outgoing, template_store
from controlplane.services.ses.addresses import all_bare, bare, of_header
from controlplane.services.ses.errors import InvalidParameterValue, MissingRenderingAttribute
from controlplane.services.ses.outgoing import Letter


async def send_simple(
    ctx: Context, source: str, destination: Mapping[str, Any], message: Mapping[str, Any], **more: Any
) -> str:
    """A mail of a subject and a body. `more`: `letter`, further members of the letter; others are `compose`'s."""
    body = message["Body"]
    letter = more.pop("letter")
    mail = mailing.compose(
        source,
        destination,
        message["Subject"]["Data"],
        text=(body.get("Text") or {}).get("Data"),
        html=(body.get("Html") or {}).get("Data"),
        **more,
    )
    return await outgoing.send(ctx, Letter(bare(source), outgoing.recipients(destination), mail, **letter))


async def send_raw(
    ctx: Context, raw: bytes, source: str | None, given: Sequence[str] | None, letter: Mapping[str, Any]
) -> str:
    """A mail as it is, but for its Bcc. Raises MessageRejected, InvalidParameterValue."""
    lines = b"\r\n".join(raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"))
    mail = email.message_from_bytes(lines)
    heads = {name: [str(value) for value in mail.get_all(name) or ()] for name in ("From", "To", "Cc", "Bcc")}
    source = source or (of_header(heads["From"]) or [""])[0]
    if not source:
        raise InvalidParameterValue("Missing required header 'From'.")
    to = all_bare(given) if given else of_header([*heads["To"], *heads["Cc"], *heads["Bcc"]])
    if not to:
        raise InvalidParameterValue("Missing required header 'To'.")
    if len(heads["From"]) > 1:
        raise InvalidParameterValue("Duplicate header 'From'.")
    for address in of_header(heads["From"]):
        await outgoing.check_verified(ctx, address)
    return await outgoing.send(ctx, Letter(bare(source), outgoing.checked(to), _without_bcc(lines), **letter))


def _without_bcc(content: bytes) -> bytes:
    head, gap, body = content.partition(b"\r\n\r\n")
    kept, dropping = [], False
    for line in head.split(b"\r\n"):
        dropping = dropping if line[:1] in (b" ", b"\t") else line.lower().startswith(b"bcc:")
        if not dropping:
            kept.append(line)
    return b"\r\n".join(kept) + gap + body


async def send_template(
    ctx: Context,
    source: str,
    destination: Mapping[str, Any],
    template: tuple[str, Mapping[str, str]],
    values: Mapping[str, Any],
    **more: Any,
) -> str:
    """A mail made of a template (its name and parts). Raises MissingRenderingAttribute where no event would tell."""
    letter, (name, parts) = more.pop("letter"), template
    to = outgoing.recipients(destination)
    try:
        made = template_store.filled(parts, values)
    except MissingRenderingAttribute as error:
        told = await outgoing.tell_failure(ctx, Letter(bare(source), to, b"", **letter), name, error.message)
        if told is None:
            raise
        return told
    subject, text, html = (made.get(part) for part in template_store.PARTS)
    mail = mailing.compose(source, destination, subject or "", text=text, html=html, **more)
    return await outgoing.send(ctx, Letter(bare(source), to, mail, **letter))
