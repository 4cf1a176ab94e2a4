"""The way out: an SMTP server of the owner's that takes mail for the world. Without one no mail leaves the cloud."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from controlplane.core.context import Unit
from controlplane.state.sealing import Sealer

RELAY = "ses.relay"
"""The kind of work that hands a mail to the relay; its keys are mails."""
_PURPOSE = "ses-relay"
_FIND = "SELECT * FROM ses_relay WHERE id = 1"
_PUT = """
INSERT INTO ses_relay (id, host, port, tls, username, sealed_password) VALUES (1, $1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE SET host = excluded.host, port = excluded.port, tls = excluded.tls,
    username = excluded.username, sealed_password = excluded.sealed_password
"""
_SECONDS = 30.0
TLS = ("required", "implicit", "none")
"""`required`: STARTTLS or nothing; `implicit`: TLS from the first byte; `none`: for a relay on this machine."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What the relay said to a recipient."""

    address: str
    code: int
    text: str

    @property
    def final(self) -> bool:
        return self.code >= 500


async def configured(db: Unit) -> bool:
    """Whether there is a relay."""
    return await db.cached_row(_FIND) is not None


async def find(db: Unit) -> Any:
    return await db.fetchrow(_FIND)


async def put(db: Unit, sealer: Sealer, host: str, port: int, tls: str, username: str, password: str) -> None:
    """Use this relay from now on; its password is sealed."""
    sealed = sealer.seal(_PURPOSE, password.encode(), host) if password else b""
    await db.execute(_PUT, host, port, tls, username, sealed)


async def drop(db: Unit) -> None:
    """Let no mail leave any more."""
    await db.execute("DELETE FROM ses_relay")


async def hand_over(
    sealer: Sealer, row: Any, source: str, recipients: Sequence[str], content: bytes
) -> tuple[str, list[Refused]]:
    """Give a mail to the relay: its answer, and whom it refused. Raises OSError while it cannot be reached."""
    password = sealer.open(_PURPOSE, row["sealed_password"], row["host"]).decode() if row["sealed_password"] else ""
    return await asyncio.to_thread(_hand_over, dict(row), password, source, list(recipients), content)


def _hand_over(
    row: dict[str, Any], password: str, source: str, recipients: list[str], content: bytes
) -> tuple[str, list[Refused]]:
    context = ssl.create_default_context()
    if row["tls"] == "implicit":
        server: smtplib.SMTP = smtplib.SMTP_SSL(row["host"], row["port"], timeout=_SECONDS, context=context)
    else:
        server = smtplib.SMTP(row["host"], row["port"], timeout=_SECONDS)
    with server:
        if row["tls"] == "required":
            server.starttls(context=context)
        if row["username"]:
            server.login(row["username"], password)
        try:
            refused = server.sendmail(source, recipients, content)
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        except smtplib.SMTPResponseException as error:
            refused = {address: (error.smtp_code, _bytes(error.smtp_error)) for address in recipients}
    told = [Refused(address, code, text.decode(errors="replace")[:500]) for address, (code, text) in refused.items()]
    return "250 ok", told


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
