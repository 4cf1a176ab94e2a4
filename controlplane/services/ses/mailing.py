"""Composing a mail, signing it and putting it into the mailbox."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
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
from controlplane.services.ses.addresses import identities_of
from controlplane.services.ses.errors import AccountSendingPaused, InvalidParameterValue, LimitExceeded, NotVerified
from controlplane.state.sealing import Sealer

MOST_A_DAY = 200
LARGEST = 10 * 1024 * 1024
_TROUBLE = (ValueError, LookupError, AttributeError, TypeError, MessageError)
"""What Python's mail classes raise for headers that cannot be."""
_MAIL, _KEY = "ses-mail", "ses-dkim"
_IDENTITIES = """
SELECT * FROM ses_identities WHERE account_id = $1 AND region = $2 AND name = ANY($3) AND verified
"""
_PAUSED = "SELECT paused FROM ses_accounts WHERE account_id = $1 AND region = $2"
_SENT = """
SELECT coalesce(sum(jsonb_array_length(destinations)), 0) FROM ses_mails
WHERE account_id = $1 AND region = $2 AND counted AND created_at > now() - interval '1 day'
"""
_INSERT = """
INSERT INTO ses_mails (id, account_id, region, source, destinations, content, counted)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_BOX = """
SELECT id, source, destinations, content, created_at FROM ses_mails WHERE account_id = $1 AND region = $2
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
    except _TROUBLE as error:
        raise InvalidParameterValue("A header of the mail cannot be made of what was given") from error
    if more.get("text") is not None:
        mail.set_content(more["text"])
    if more.get("html") is not None:
        (mail.add_alternative if more.get("text") is not None else mail.set_content)(more["html"], subtype="html")
    return mail


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


async def send(ctx: Context, source: str, destinations: Sequence[str], mail: EmailMessage | bytes) -> str:
    """Sign a mail and keep it in the caller's mailbox. Answers its id.

    Raises MessageRejected for a source that is not verified, Throttling beyond the day's quota.
    """
    names = identities_of(source)
    rows = {row["name"]: row for row in await ctx.db.fetch(_IDENTITIES, ctx.account_id, ctx.region, list(names))}
    if not rows:
        raise NotVerified(ctx.region, source)
    if await ctx.db.fetchval(_PAUSED, ctx.account_id, ctx.region):
        raise AccountSendingPaused
    if await sent_today(ctx) + len(destinations) > MOST_A_DAY:
        raise LimitExceeded
    id = uuid4()
    message_id = f"{id}-000000"
    content = _finished(mail, message_id, ctx.region)
    if len(content) > LARGEST:
        raise InvalidParameterValue("Message length is more than 10485760 bytes long")
    for row in rows.values():
        if row["signs"] and row["sealed_key"] is not None:
            content = _signed(ctx.engine("sealing"), row, content)
            break
    await _keep(ctx.db, ctx.engine("sealing"), (ctx.account_id, ctx.region), id, source, destinations, content)
    return message_id


async def send_for_service(ctx: Context, source: str, destination: str, mail: EmailMessage) -> None:
    """Keep a mail of the cloud itself in the mailbox of the account for whose sake it goes; no quota counts it."""
    id = uuid4()
    content = _finished(mail, str(id), ctx.region)
    box = (ctx.account_id, ctx.region)
    await _keep(ctx.db, ctx.engine("sealing"), box, id, source, [destination], content, counted=False)


def _finished(mail: EmailMessage | bytes, message_id: str, region: str) -> bytes:
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


def _signed(sealer: Sealer, row: Any, content: bytes) -> bytes:
    key = sealer.open(_KEY, row["sealed_key"], f"{row['account_id']} {row['name']}")
    domain = row["name"].rpartition("@")[2].encode()
    headers = [b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"mime-version", b"content-type"]
    try:
        signature: bytes = dkim.sign(content, row["dkim"]["selector"].encode(), domain, key, include_headers=headers)
    except dkim.DKIMException as error:
        raise InvalidParameterValue("The mail is malformed") from error
    return signature + content


async def _keep(
    db: Unit,
    sealer: Sealer,
    box: tuple[str, str],
    id: UUID,
    source: str,
    destinations: Sequence[str],
    content: bytes,
    *,
    counted: bool = True,
) -> None:
    sealed = sealer.seal(_MAIL, content, str(id))
    await db.execute(_INSERT, id, *box, source, list(destinations), sealed, counted)


async def sent_today(ctx: Context) -> int:
    """To how many the caller has sent in the last 24 hours."""
    return int(await ctx.db.fetchval(_SENT, ctx.account_id, ctx.region))


async def mailbox(ctx: Context, most: int) -> list[dict[str, Any]]:
    """The latest mails of the caller's mailbox, newest first."""
    sealer: Sealer = ctx.engine("sealing")
    return [
        {
            "Id": str(row["id"]),
            "CreatedAt": row["created_at"].isoformat(),
            "Source": row["source"],
            "Destinations": row["destinations"],
            "RawData": sealer.open(_MAIL, row["content"], str(row["id"])).decode("utf-8", "surrogateescape"),
        }
        for row in await ctx.db.fetch(_BOX, ctx.account_id, ctx.region, most)
    ]
