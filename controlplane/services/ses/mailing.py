"""Composing a mail, signing it and putting it into the mailbox."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any
from uuid import UUID, uuid4

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from controlplane.core.context import Context, Unit
from controlplane.services.ses.errors import InvalidParameterValue
from controlplane.state.sealing import Sealer

LARGEST = 10 * 1024 * 1024
_TROUBLE = (ValueError, LookupError, AttributeError, TypeError, MessageError)
"""What Python's mail classes raise for headers that cannot be."""
_HEADER = re.compile(r"[!-9;-~]{1,126}")
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,63}")
_OURS = {"from", "to", "cc", "bcc", "subject", "reply-to", "sender", "return-path", "date", "message-id"}
_OURS |= {"dkim-signature", "mime-version", "content-type", "content-transfer-encoding", "content-disposition"}
_MAIL, _KEY = "ses-mail", "ses-dkim"
_STATISTICS = """
SELECT date_bin('15 minutes', created_at, 'epoch') AS at, sum(jsonb_array_length(destinations)) AS sent,
    sum(bounced) AS bounced, sum(complained) AS complained FROM ses_mails
WHERE account_id = $1 AND region = $2 AND counted AND created_at > now() - interval '14 days' GROUP BY 1 ORDER BY 1
"""
_BOX = """
SELECT id, source, destinations, content, received, created_at FROM ses_mails WHERE account_id = $1 AND region = $2
ORDER BY created_at DESC, id LIMIT $3
"""


def compose(source: str, destination: Mapping[str, Any], subject: str, **more: Any) -> EmailMessage:
    """A mail of `text` and `html`, answered to `reply_to`. Raises InvalidParameterValue."""
    mail = EmailMessage(policy=SMTP)
    try:
        mail["From"] = source
        for name, member in (("To", "ToAddresses"), ("Cc", "CcAddresses")):
            if destination.get(member):
                mail[name] = ", ".join(destination[member])
        if more.get("reply_to"):
            mail["Reply-To"] = ", ".join(more["reply_to"])
        mail["Subject"] = subject
        for header in more.get("headers") or ():
            if not _HEADER.fullmatch(header["Name"]) or header["Name"].lower() in _OURS:
                raise InvalidParameterValue(f"Header {header['Name'][:100]} cannot be set.")
            mail[header["Name"]] = header["Value"]
    except _TROUBLE as error:
        raise InvalidParameterValue("A header of the mail cannot be made of what was given") from error
    if more.get("text") is not None:
        mail.set_content(more["text"])
    if more.get("html") is not None:
        (mail.add_alternative if more.get("text") is not None else mail.set_content)(more["html"], subtype="html")
    for attachment in more.get("attachments") or ():
        _attach(mail, attachment)
    return mail


def _attach(mail: EmailMessage, attachment: Mapping[str, Any]) -> None:
    main, _, sub = (attachment.get("ContentType") or "application/octet-stream").partition("/")
    if not (_TOKEN.fullmatch(main) and _TOKEN.fullmatch(sub)) or main in ("multipart", "message"):
        raise InvalidParameterValue("The content type of an attachment is not allowed.")
    id = attachment.get("ContentId")
    try:
        mail.add_attachment(
            bytes(attachment["RawContent"]),
            maintype=main,
            subtype=sub,
            filename=attachment["FileName"],
            disposition=str(attachment.get("ContentDisposition") or "attachment").lower(),
            cid=f"<{id}>" if id else None,
        )
    except _TROUBLE as error:
        raise InvalidParameterValue("An attachment cannot be made of what was given") from error


def new_key() -> tuple[str, str, bytes]:
    """A selector, a public key as a DNS record holds it, and the private key in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return secrets.token_hex(16), base64.b64encode(public).decode(), private


def seal_key(sealer: Sealer, account_id: str, name: str, key: bytes) -> bytes:
    return sealer.seal(_KEY, key, f"{account_id} {name}")


async def send_for_service(ctx: Context, source: str, destination: str, mail: EmailMessage) -> None:
    """Keep a mail of the cloud itself in the mailbox of the account for whose sake it goes; no quota counts it."""
    id = uuid4()
    content = finished(mail, str(id), ctx.region)
    box = (ctx.account_id, ctx.region)
    await keep(ctx.db, ctx.engine("sealing"), box, id, source, [destination], content, counted=False)


def finished(mail: EmailMessage | bytes, message_id: str, region: str) -> bytes:
    """The mail on the wire, with the headers that the sender left to us."""
    try:
        raw = mail if isinstance(mail, bytes) else mail.as_bytes(policy=SMTP)
    except _TROUBLE as error:
        raise InvalidParameterValue("The mail cannot be written") from error
    head = raw.partition(b"\r\n\r\n")[0].lower()
    added = b""
    if b"\nmessage-id:" not in b"\n" + head:
        added += f"Message-ID: <{message_id}@{region}.amazonses.com>\r\n".encode()
    if b"\ndate:" not in b"\n" + head:
        added += f"Date: {format_datetime(datetime.now(UTC))}\r\n".encode()
    return added + raw


def signed(sealer: Sealer, identities: Iterable[Any], content: bytes) -> bytes:
    """The mail with a signature of the first of these identities that signs. Raises InvalidParameterValue."""
    row = next((row for row in identities if row["signs"] and row["sealed_key"] is not None), None)
    if row is None:
        return content
    key = sealer.open(_KEY, row["sealed_key"], f"{row['account_id']} {row['name']}")
    domain = row["name"].rpartition("@")[2].encode()
    headers = [b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"mime-version", b"content-type"]
    try:
        signature: bytes = dkim.sign(content, row["dkim"]["selector"].encode(), domain, key, include_headers=headers)
    except dkim.DKIMException as error:
        raise InvalidParameterValue("The mail is malformed") from error
    return signature + content


async def keep(
    db: Unit,
    sealer: Sealer,
    box: tuple[str, str],
    id: UUID,
    source: str,
    destinations: Sequence[str],
    content: bytes,
    *,
    counted: bool = True,
    **more: Any,
) -> None:
    """Put a mail into a mailbox, which is an account in a region; `more` are further columns."""
    sealed = sealer.seal(_MAIL, content, str(id))
    account, region = box
    values = {"id": id, "account_id": account, "region": region, "source": source, "destinations": list(destinations)}
    await db.insert("ses_mails", **values, content=sealed, counted=counted, **more)


def opened(sealer: Sealer, row: Any) -> bytes:
    """A mail as it is on the wire."""
    return sealer.open(_MAIL, row["content"], str(row["id"]))


async def statistics(ctx: Context) -> list[Any]:
    """`at`, `sent`, `bounced` and `complained` of each quarter of an hour of the last two weeks."""
    return await ctx.db.fetch(_STATISTICS, ctx.account_id, ctx.region)


async def mailbox(ctx: Context, most: int) -> list[dict[str, Any]]:
    """The latest mails of the caller's mailbox, newest first."""
    sealer: Sealer = ctx.engine("sealing")
    return [
        {
            "Id": str(row["id"]),
            "CreatedAt": row["created_at"].isoformat(),
            "Source": row["source"],
            "Destinations": row["destinations"],
            "Received": row["received"],
            "RawData": opened(sealer, row).decode("utf-8", "surrogateescape"),
        }
        for row in await ctx.db.fetch(_BOX, ctx.account_id, ctx.region, most)
    ]
