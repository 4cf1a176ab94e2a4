"""The listener for mail, over SMTP (aiosmtpd).

Mail from outside is taken by somebody's rules, or refused: nothing is relayed. Who has logged in (see `submission.py`)
sends.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session, TLSSetupException, syntax

from controlplane.services.ses import mailing, receiving
from controlplane.services.ses.receiving import RECEIVE, Box
from controlplane.services.ses.submission import Login, Submission
from controlplane.state.database import Database
from controlplane.state.sealing import Sealer
from controlplane.work.wake import wake

log = logging.getLogger(__name__)

_MOST_RECIPIENTS, _MOST_HOPS, _MOST_CONNECTIONS = 50, 30, 100
_IDLE_SECONDS, _MOST_COMMANDS = 60.0, 200
_REFUSED = "550 5.1.1 Mailbox unavailable"


class Handler:
    """What aiosmtpd asks. A mail is stored before it is acknowledged; rules are applied behind it."""

    def __init__(self, database: Database, sealer: Sealer, submission: Submission | None) -> None:
        self._database = database
        self._sealer = sealer
        self._submission = submission

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= _MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        if "\0" in address or not address.isprintable() or "@" not in address or len(address) > 320:
            return "553 5.1.3 Not an address"
        if _login(session) is not None:
            envelope.rcpt_tos.append(address)
            return "250 2.1.5 OK"
        async with self._database.unit() as db:
            box = await receiving.taken_by(db, address, _peer(session))
        if box is None:
            return _REFUSED
        envelope.rcpt_tos.append(address)
        _boxes(session)[address] = box
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        head = b"\n" + content.partition(b"\r\n\r\n")[0].lower()
        if head.count(b"\nreceived:") > _MOST_HOPS:
            return "554 5.4.6 Too many hops"
        sender = (envelope.mail_from or "").removeprefix("<").removesuffix(">")  # `<>` is nobody
        if "\0" in sender or not sender.isprintable():
            return "553 5.1.7 Not an address"
        login = _login(session)
        if login is not None:
            assert self._submission is not None
            return await self._submission.send(login, sender, envelope.rcpt_tos, content, _peer(session))
        trace = f"Received: from [{_peer(session)}] by celaje; {format_datetime(datetime.now(UTC))}\r\n"
        whole = f"Return-Path: <{sender}>\r\n{trace}".encode("utf-8", "replace") + content
        by_box: dict[Box, list[str]] = {}
        for address in dict.fromkeys(envelope.rcpt_tos):
            by_box.setdefault(_boxes(session)[address], []).append(address)
        async with self._database.unit() as db:
            for box, to in by_box.items():
                id = uuid4()
                own = (box.account_id, box.region)
                facts = {"received": True, "facts": {"new": True}}
                await mailing.keep(db, self._sealer, own, id, sender, to, whole, counted=False, **facts)
                await wake(db, RECEIVE, str(id))
        return "250 2.6.0 Message accepted"

    async def handle_VRFY(self, server: SMTP, session: Session, envelope: Envelope, address: str) -> str:
        return "252 2.5.2 Cannot verify"


def _peer(session: Session) -> str:
    """The address at the other end."""
    peer: Any = session.peer
    return str(peer[0])


def _login(session: Session) -> Login | None:
    """Who has logged in."""
    found: Any = session.auth_data if session.authenticated else None
    return found if isinstance(found, Login) else None


def _boxes(session: Session) -> dict[str, Box]:
    found: Any = session
    if not hasattr(found, "boxes"):
        found.boxes = {}
    boxes: dict[str, Box] = found.boxes
    return boxes


class Connection(SMTP):
    """One connection; there are never more than a bound."""

    open = 0
    submission: Submission | None = None

    @syntax("STARTTLS", when="tls_context")
    async def smtp_STARTTLS(self, arg: str) -> None:
        """End with the connection when it is closed for its silence amid the handshake, which aiosmtpd overlooks."""
        await super().smtp_STARTTLS(arg)
        if self._original_transport is not None and (self.session is None or self.session.ssl is None):
            raise TLSSetupException

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        again = self._original_transport is not None  # aiosmtpd has it called once more after STARTTLS
        super().connection_made(transport)
        if again:
            return
        Connection.open += 1
        assert self._handler_coroutine is not None
        self._handler_coroutine.add_done_callback(_closed)
        if Connection.open > _MOST_CONNECTIONS:
            transport.close()

    async def auth_PLAIN(self, _: Any, args: list[str]) -> AuthResult:
        return await self._looked_up(await super().auth_PLAIN(_, args))

    async def auth_LOGIN(self, _: Any, args: list[str]) -> AuthResult:
        return await self._looked_up(await super().auth_LOGIN(_, args))

    async def _looked_up(self, claimed: AuthResult) -> AuthResult:
        """The result of a login that was only read so far: aiosmtpd's own way to check one cannot wait."""
        if not claimed.success or claimed.auth_data is None or self.submission is None:
            return claimed
        user, password = (part.decode("utf-8", "replace") for part in claimed.auth_data)
        login = await self.submission.login(user, password)
        return AuthResult(success=login is not None, handled=False, auth_data=login)


def _closed(handling: asyncio.Task[None]) -> None:
    """Count a connection whose task has ended; it ends however the connection does, a broken handshake too."""
    Connection.open -= 1


def _read(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=True, auth_data=data)


async def listen(
    database: Database, sealer: Sealer, address: tuple[str, int], submission: Submission | None = None
) -> asyncio.Server:
    """Take mail on an address. Only with `submission` there is TLS, and login over it."""
    handler, loop = Handler(database, sealer, submission), asyncio.get_running_loop()

    def connection() -> Connection:
        made = Connection(
            handler,
            data_size_limit=mailing.LARGEST,
            enable_SMTPUTF8=True,
            ident="celaje",
            hostname="celaje",
            timeout=_IDLE_SECONDS,
            command_call_limit=_MOST_COMMANDS,
            tls_context=submission.tls if submission is not None else None,
            authenticator=_read,
            auth_exclude_mechanism=("LOGIN", "PLAIN") if submission is None else (),
            loop=loop,
        )
        made.submission = submission
        return made

    return await loop.create_server(connection, *address)
