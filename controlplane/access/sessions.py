"""Temporary credentials. The session token carries everything, encrypted and authenticated; nothing is stored.

The secret is derived from the access key id, and the token opens only together with that id, so that id, secret and
token cannot be mixed with those of other sessions.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from controlplane.access import keys
from controlplane.core.principal import Principal, PrincipalKind
from controlplane.state.sealing import Sealer, SealError

_TOKEN = "session-token"  # noqa: S105 (the names of purposes, not secrets)
_SECRET = "session-secret"  # noqa: S105
MAX_TOKEN = 16 * 1024


@dataclass(frozen=True, slots=True)
class Session:
    """What the credentials of a session say of it; kept as `Principal.session`.

    `issuer_arn` and `issuer_id` are the role's, or the user's behind a federated user. `policies` are documents and
    `policy_arns` managed policies that limit the session. `console` marks a sign-in with a password. `federated`
    holds condition values (lower-case keys) of who was vouched for by a provider. Times are seconds since the epoch.
    """

    issued_at: int
    expires_at: int
    issuer_arn: str = ""
    issuer_id: str = ""
    policies: list[str] = field(default_factory=list)
    policy_arns: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    transitive_tag_keys: list[str] = field(default_factory=list)
    source_identity: str = ""
    mfa_at: int | None = None
    console: bool = False
    federated: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TemporaryCredentials:
    """What a client gets."""

    access_key_id: str
    secret_access_key: str
    token: str
    expires_at: datetime

    def as_aws(self) -> dict[str, Any]:
        """The `Credentials` structure of STS."""
        return {
            "AccessKeyId": self.access_key_id,
            "SecretAccessKey": self.secret_access_key,
            "SessionToken": self.token,
            "Expiration": self.expires_at,
        }


def session_of(principal: Principal) -> Session | None:
    """The session of a principal with temporary credentials; None for long-term ones."""
    return Session(**principal.session) if principal.session else None


def issue(
    sealer: Sealer, kind: PrincipalKind, account_id: str, arn: str, user_id: str, name: str, session: Session
) -> TemporaryCredentials:
    """Make credentials for a principal with a session."""
    access_key_id = keys.new_id(keys.TEMPORARY, account_id)
    content = orjson.dumps([kind, account_id, arn, user_id, name, _compact(session)])
    token = base64.b64encode(sealer.seal(_TOKEN, zlib.compress(content), access_key_id)).decode()
    return TemporaryCredentials(
        access_key_id, secret_of(sealer, access_key_id), token, datetime.fromtimestamp(session.expires_at, UTC)
    )


def _compact(session: Session) -> dict[str, Any]:
    return {name: value for name, value in asdict(session).items() if value}


def secret_of(sealer: Sealer, access_key_id: str) -> str:
    """The secret of a temporary access key."""
    digest = hmac.digest(sealer.derive(_SECRET), access_key_id.encode(), "sha256")
    return base64.b64encode(digest)[:40].decode()


def open_token(sealer: Sealer, access_key_id: str, token: str) -> Principal:
    """The principal of a token, expired or not. Raises SealError when it is not ours or belongs to another key id."""
    if len(token) > MAX_TOKEN:
        raise SealError("too long")
    try:
        sealed = base64.b64decode(token.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeError) as error:
        raise SealError("not base64") from error
    kind, account_id, arn, user_id, name, session = orjson.loads(
        zlib.decompress(sealer.open(_TOKEN, sealed, access_key_id))
    )
    return Principal(kind, account_id, arn, user_id, name, access_key_id, session)


def is_expired(principal: Principal, now: float) -> bool:
    """Whether temporary credentials are past their end."""
    return bool(principal.session) and now >= principal.session["expires_at"]


def starting(seconds: int, **more: Any) -> Session:
    """A session that begins now."""
    now = int(time.time())
    return Session(issued_at=now, expires_at=now + seconds, **more)


def issue_for_role(
    sealer: Sealer, role: Mapping[str, Any], session_name: str, session: Session
) -> tuple[TemporaryCredentials, str, str]:
    """Credentials of a role's session, with the session's ARN and id (`AROA…:name`).

    `role` is a row of `access_identities`.
    """
    account = role["account_id"]
    arn = f"arn:aws:sts::{account}:assumed-role/{role['name']}/{session_name}"
    id = f"{role['id']}:{session_name}"
    return issue(sealer, "assumed-role", account, arn, id, session_name, session), arn, id
