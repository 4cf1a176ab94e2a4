"""TLS and logins over SMTP: of those who send through the cloud, and of the cloud at its relay."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from controlplane.services.ses import listener, relaying
from controlplane.services.ses.submission import smtp_password
from controlplane.state.sealing import Sealer
from tests.cloud import Account, Cloud
from tests.services.iam.certificates import certify
from tests.services.iam.conftest import user_with_key
from tests.services.ses.test_mail import mailbox

ADDRESS = "ana@example.test"


@contextmanager
def certificates() -> Iterator[Path]:
    """A folder with an authority, and a server's certificate and key."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        authority = certify("an authority", ca=True)
        server = certify("localhost", authority)
        for name, text in (("authority", authority.pem), ("certificate", server.pem), ("key", server.key_pem)):
            (Path(folder) / name).write_text(text)
        yield Path(folder)


def a_mail() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = ADDRESS, "bo@example.test", "over smtp"
    mail.set_content("hello")
    return mail


def test_who_has_a_key_sends_over_tls() -> None:
    with certificates() as certified, tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o711)
        cloud = Cloud(Path(home), agent=False)
        try:
            cloud.start(smtp_certificate=certified / "certificate", smtp_key=certified / "key")
            account = cloud.new_account()
            account.client("ses", "eu-west-1").verify_email_identity(EmailAddress=ADDRESS)
            context = ssl.create_default_context(cafile=str(certified / "authority"))
            _sends(cloud, account, context)
            _is_looked_at_again(cloud, account, context)
            _is_refused(cloud, account, context)
        finally:
            cloud.stop()


def _sends(cloud: Cloud, account: Account, context: ssl.SSLContext) -> None:
    with smtplib.SMTP("localhost", cloud.smtp_port(), timeout=20) as server:
        server.ehlo()
        assert not server.has_extn("auth"), "no password goes over the wire unencrypted"
        assert server.docmd("AUTH", "PLAIN AGEAYg==")[0] == 538
        server.starttls(context=context)
        for user, password in (("x", "y"), (account.access_key_id, account.secret_access_key)):
            with pytest.raises(smtplib.SMTPAuthenticationError):
                server.login(user, password)
    with smtplib.SMTP("localhost", cloud.smtp_port(), timeout=20) as server:
        server.starttls(context=context)
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            server.send_message(a_mail())
        server.login(account.access_key_id, smtp_password(account.secret_access_key, "eu-west-1"))
        assert server.send_message(a_mail()) == {}
    (mail,) = mailbox(account, "eu-west-1")
    assert mail["Source"] == ADDRESS and "over smtp" in mail["RawData"]
    assert not mailbox(account), "the password is a region's"


def _is_looked_at_again(cloud: Cloud, account: Account, context: ssl.SSLContext) -> None:
    """A connection whose key was deactivated after the login."""
    leaver = user_with_key(account, "leaver", {"Effect": "Allow", "Action": "ses:*", "Resource": "*"})
    with smtplib.SMTP("localhost", cloud.smtp_port(), timeout=20) as server:
        server.starttls(context=context)
        server.login(leaver.access_key_id, smtp_password(leaver.secret_access_key, "eu-west-1"))
        assert server.send_message(a_mail()) == {}
        key = {"UserName": "leaver", "AccessKeyId": leaver.access_key_id}
        account.client("iam").update_access_key(**key, Status="Inactive")
        with pytest.raises(smtplib.SMTPDataError) as refused:
            server.send_message(a_mail())
        assert refused.value.smtp_code == 535


def _is_refused(cloud: Cloud, account: Account, context: ssl.SSLContext) -> None:
    """A user without permission, and a sender who was never verified."""
    student = user_with_key(account, "student")
    for whose, reason in ((student, b"not authorized"), (account, b"not verified")):
        mail = a_mail()
        if whose is account:
            mail.replace_header("From", "eve@example.test")
        with smtplib.SMTP("localhost", cloud.smtp_port(), timeout=20) as server:
            server.starttls(context=context)
            server.login(whose.access_key_id, smtp_password(whose.secret_access_key, "eu-west-1"))
            with pytest.raises(smtplib.SMTPDataError) as refused:
                server.send_message(mail)
            assert refused.value.smtp_code == 554 and reason in refused.value.smtp_error


async def test_connections_are_counted_down_however_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "_IDLE_SECONDS", 1.0)
    nobody: Any = None

    async def session(port: int, end: str, context: ssl.SSLContext) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for line in (b"", b"EHLO me\r\n", b"STARTTLS\r\n"):
            writer.write(line)
            while (await reader.readline())[3:4] == b"-":
                pass
        if end == "well":
            await writer.start_tls(context, server_hostname="localhost")
            writer.write(b"QUIT\r\n")
        elif end == "nonsense":
            writer.write(b"hello\r\n")
        if end in ("well", "nonsense", "silence"):
            with contextlib.suppress(OSError):
                await asyncio.wait_for(reader.read(), 10)
        writer.transport.abort() if end == "reset" else writer.close()

    with certificates() as certified:
        context = ssl.create_default_context(cafile=str(certified / "authority"))
        submission: Any = SimpleNamespace(tls=ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
        submission.tls.load_cert_chain(certified / "certificate", certified / "key")
        async with await listener.listen(nobody, nobody, ("127.0.0.1", 0), submission) as server:
            port = server.sockets[0].getsockname()[1]
            for end in ("well", "nonsense", "silence", "close", "reset"):
                await asyncio.gather(*(session(port, end, context) for _ in range(24)))
                deadline = asyncio.get_running_loop().time() + 10
                while listener.Connection.open:
                    assert asyncio.get_running_loop().time() < deadline, (end, listener.Connection.open)
                    await asyncio.sleep(0.02)
            await session(port, "well", context)


class Relay:
    """An SMTP server that takes mail of one user, over TLS."""

    def __init__(self) -> None:
        self.mails: list[tuple[str | None, list[str], bytes]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 OK"

    def check(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data == LoginPassword(b"me", b"right"), handled=False)


@contextmanager
def relay(certified: Path, *, implicit: bool) -> Iterator[tuple[Relay, int]]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certified / "certificate", certified / "key")
    handler = Relay()
    way = {"ssl_context": context} if implicit else {"tls_context": context, "require_starttls": True}
    controller = Controller(
        handler,
        hostname="127.0.0.1",
        port=0,
        authenticator=handler.check,
        auth_required=True,
        auth_require_tls=not implicit,  # where all is TLS, aiosmtpd does not see it
        **way,
    )
    with started(controller) as port:
        yield handler, port


@contextmanager
def started(controller: Controller) -> Iterator[int]:
    """The port on which a server listens."""

    def port() -> int:
        return int(controller.server.sockets[0].getsockname()[1])  # type: ignore[union-attr]

    def knock() -> None:
        """What aiosmtpd does to see that it answers, but at the port that it was given, and without TLS."""
        socket.create_connection(("127.0.0.1", port())).close()

    controller._trigger_server = knock  # type: ignore[method-assign]
    controller.start()
    try:
        yield port()
    finally:
        controller.stop()


@pytest.mark.parametrize("implicit", [False, True])
def test_a_relay_with_tls_and_login(implicit: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    sealer = Sealer(bytes(32))

    def hand_over(port: int, password: str, host: str = "localhost") -> Any:
        row = {"host": host, "port": port, "tls": "implicit" if implicit else "required", "username": "me"}
        sealed = {"sealed_password": sealer.seal("ses-relay", password.encode(), host)}
        content = b"Subject: out\r\n\r\nhello\r\n"
        return asyncio.run(relaying.hand_over(sealer, {**row, **sealed}, ADDRESS, ["bo@example.test"], content))

    with certificates() as certified, relay(certified, implicit=implicit) as (server, port):
        with pytest.raises(ssl.SSLCertVerificationError):
            hand_over(port, "right")
        monkeypatch.setenv("SSL_CERT_FILE", str(certified / "authority"))
        with pytest.raises(smtplib.SMTPAuthenticationError):
            hand_over(port, "wrong")
        assert not server.mails
        assert hand_over(port, "right") == ("250 ok", [])
    ((sender, to, content),) = server.mails
    assert (sender, to) == (ADDRESS, ["bo@example.test"]) and b"Subject: out" in content


def test_a_relay_that_offers_no_tls_gets_no_password() -> None:
    with started(Controller(Relay(), hostname="127.0.0.1", port=0)) as port:
        row = {"host": "127.0.0.1", "port": port, "tls": "required", "username": "me", "sealed_password": b""}
        with pytest.raises(smtplib.SMTPNotSupportedError):
            asyncio.run(relaying.hand_over(Sealer(bytes(32)), row, ADDRESS, ["bo@example.test"], b"x"))
