"""Sending over SMTP, as SES's SMTP interface does it: who logs in with an access key calls SendRawEmail.

The user name is the access key's id, the password is derived from its secret for a region, as AWS's documentation
("Obtaining SMTP credentials by converting AWS credentials") tells.
"""

from __future__ import annotations

import base64
import hmac
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from controlplane.access.principals import Principals
from controlplane.core.context import Context, Runtime
from controlplane.core.errors import AwsError
from controlplane.core.ids import request_id
from controlplane.core.principal import Principal
from controlplane.state.database import Database

_VERSION = b"\x04"
_LATER = 500


@dataclass(frozen=True, slots=True)
class Login:
    """Whose mail a connection sends, and in which region."""

    principal: Principal
    region: str
    key: str
    """The access key's id."""


def smtp_password(secret: str, region: str) -> str:
    """The SMTP password of an access key's secret."""
    key = f"AWS4{secret}".encode()
    for part in ("11111111", region, "ses", "aws4_request", "SendRawEmail"):
        key = hmac.digest(key, part.encode(), "sha256")
    return base64.b64encode(_VERSION + key).decode()


class Submission:
    """Logins, and the mail of those who are logged in. The listener shows `tls`; nobody logs in without it."""

    def __init__(
        self, database: Database, principals: Principals, runtime: Runtime, certificate: Path, key: Path | None
    ) -> None:
        self._database = database
        self._principals = principals
        self._runtime = runtime
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.tls.load_cert_chain(certificate, key)

    async def login(self, user: str, password: str) -> Login | None:
        """Whom a name and a password belong to; None when to nobody."""
        credential = await self._principals.credential(user) if user.isascii() and user.isalnum() else None
        if credential is None:
            return None
        account = credential.principal.account_id
        for region in self._runtime.cloud.regions:
            expected = smtp_password(credential.secret, region)
            if hmac.compare_digest(expected.encode(), password.encode()):
                return Login(credential.principal, region, user) if await self._may(account, region) else None
        return None

    async def _may(self, account: str, region: str) -> bool:
        return not await self._principals.is_closed(account) and await self._principals.may_use_region(account, region)

    async def _stands(self, login: Login) -> bool:
        """Whether somebody who logged in some time ago could do so now."""
        there = await self._principals.credential(login.key) is not None
        return there and await self._may(login.principal.account_id, login.region)

    async def send(self, login: Login, source: str, to: Sequence[str], content: bytes, client: str) -> str:
        """Send a mail; what the server says to it."""
        if not await self._stands(login):
            return "535 5.7.8 Authentication credentials invalid"
        request = {"Source": source, "Destinations": list(to), "RawMessage": {"Data": content}}
        try:
            async with self._database.unit() as db:
                ctx = Context(
                    request_id=request_id(),
                    account_id=login.principal.account_id,
                    region=login.region,
                    service="",
                    operation="",
                    principal=login.principal,
                    db=db,
                    runtime=self._runtime,
                    source_ip=client,
                    user_agent="smtp",
                )
                sent = await ctx.call("ses", "SendRawEmail", request)
        except AwsError as error:
            if error.code == "Throttling":
                return f"454 Throttling failure: {error.message}"
            code = "451 4.3.0" if error.status >= _LATER else "554 5.7.1"
            return f"{code} {' '.join(error.message.split())[:400]}"
        return f"250 Ok {sent['MessageId']}"
