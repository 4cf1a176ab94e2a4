"""Signing in with a user's name and password: credentials of a session, which the console keeps as it keeps a key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from controlplane.access import mfa, passwords
from controlplane.access.attempts import Attempts, TooManyAttempts
from controlplane.access.sessions import TemporaryCredentials, issue, starting
from controlplane.core.context import Unit
from controlplane.state.sealing import Sealer

SECONDS = 12 * 3600

_USER = """
SELECT u.id, u.account_id, u.name, u.path, a.name AS account_name, a.alias, a.password_policy, p.hash, p.earlier,
  p.reset_required, p.changed_at
FROM access_accounts a JOIN access_identities u ON u.account_id = a.id JOIN access_passwords p ON p.user_id = u.id
WHERE (a.id = $1 OR a.alias = $1) AND a.closed_at IS NULL AND u.kind = 'user' AND lower(u.name) = lower($2)
"""
_USED = "UPDATE access_passwords SET last_used_at = now() WHERE user_id = $1"
_CHANGE = """
UPDATE access_passwords SET earlier = $3, hash = $2, changed_at = now(), reset_required = false WHERE user_id = $1
"""


class Refused(Exception):
    """The sign-in failed. `code` tells a program why; a wrong name and a wrong password look alike."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


WRONG = ("AuthenticationFailed", "Your authentication information is incorrect. Please try again.")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody typed: account id or alias, user name, password; what is asked for further is empty at first."""

    account: str
    user: str
    password: str
    code: str = ""
    new_password: str = ""


async def sign_in(db: Unit, sealer: Sealer, attempts: Attempts, attempt: Attempt) -> TemporaryCredentials:
    """Credentials for twelve hours. Raises Refused: AuthenticationFailed, TooManyAttempts, MfaRequired,
    PasswordChangeRequired, PasswordExpired or PasswordPolicyViolation."""
    row = await db.fetchrow(_USER, attempt.account, attempt.user)
    try:
        await _check_password(attempts, attempt, row)
        with_mfa = await _check_code(db, sealer, attempts, row["id"], attempt.code)
    except TooManyAttempts as error:
        raise Refused("TooManyAttempts", "Too many wrong passwords or codes. Please try again later.") from error
    await _change(db, attempt, row)
    await db.execute(_USED, row["id"])
    session = starting(SECONDS, console=True)
    if with_mfa:
        session = starting(SECONDS, console=True, mfa_at=session.issued_at)
    arn = f"arn:aws:iam::{row['account_id']}:user{row['path']}{row['name']}"
    return issue(sealer, "user", row["account_id"], arn, row["id"], row["name"], session)


async def _check_password(attempts: Attempts, attempt: Attempt, row: Any) -> None:
    """Takes as long for a user who does not exist, so that nobody learns who does."""
    target = f"password:{row['id']}" if row else f"nobody:{attempt.account[:64]}/{attempt.user[:64].lower()}"
    await attempts.begin(target)
    if not await passwords.matches(attempt.password, row["hash"] if row else await passwords.nobodys()) or row is None:
        raise Refused(*WRONG)
    await attempts.succeeded(target)


async def _check_code(db: Unit, sealer: Sealer, attempts: Attempts, user_id: str, code: str) -> bool:
    """Whether an MFA code was needed, and then right. Asked for only after the password was."""
    devices = await mfa.devices(db, user_id)
    if not devices:
        return False
    if not code:
        raise Refused("MfaRequired", "Enter the code of your MFA device.")
    for device in devices:
        if await mfa.verify(db, sealer, attempts, device, code):
            return True
    raise Refused(*WRONG)


async def _change(db: Unit, attempt: Attempt, row: Any) -> None:
    """Set the new password where one is due or given."""
    policy = row["password_policy"] or {}
    days = policy.get("MaxPasswordAge")
    expired = days is not None and row["changed_at"] + timedelta(days=days) < datetime.now(UTC)
    if expired and policy.get("HardExpiry"):
        raise Refused("PasswordExpired", "Your password has expired. Ask your administrator for a new one.")
    if not row["reset_required"] and not expired:
        return
    if not attempt.new_password:
        raise Refused("PasswordChangeRequired", "You must choose a new password.")
    names = (row["name"], row["account_name"], row["alias"] or "")
    lacks = passwords.shortcomings(attempt.new_password, row["password_policy"], names)
    kept = [row["hash"], *row["earlier"]][: max(1, policy.get("PasswordReusePrevention") or 1)]
    for hash in kept if not lacks else ():
        if await passwords.matches(attempt.new_password, hash):
            lacks.append("Password has been used before")
            break
    if lacks:
        raise Refused("PasswordPolicyViolation", "; ".join(lacks))
    earlier = [row["hash"], *row["earlier"]][:24]
    await db.execute(_CHANGE, row["id"], await passwords.hashed(attempt.new_password), earlier)
