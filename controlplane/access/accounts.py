"""Accounts of this cloud. Each is complete as soon as it exists; its root user has the first access key."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from controlplane.access import keys, managed_policies
from controlplane.access.principals import SECRET, announce
from controlplane.core.context import Unit
from controlplane.state.sealing import Sealer

_NAME = re.compile(r"[\x20-\x7e]{1,50}")
_ID = re.compile(r"\d{12}")
_ACCESS_KEY_ID = re.compile(r"\w{3,128}", re.ASCII)
_ROW = """
INSERT INTO access_accounts (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id
"""
_KEY = """
INSERT INTO access_keys (id, account_id, secret) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING id
"""
_ROOT_KEY = """
SELECT a.id, a.name, k.id AS key, k.secret FROM access_accounts a JOIN access_keys k ON k.account_id = a.id
WHERE (a.name = $1 OR a.id = $1) AND k.user_id IS NULL AND k.status = 'Active' ORDER BY k.created_at LIMIT 1
"""
_LIST = "SELECT id, name, created_at FROM access_accounts ORDER BY created_at, id"


class AccountError(Exception):
    """An account cannot be made as asked for."""


@dataclass(frozen=True, slots=True)
class Account:
    """A new account with the access key of its root user."""

    id: str
    name: str
    access_key_id: str
    secret_access_key: str


async def create(
    db: Unit,
    sealer: Sealer,
    name: str,
    *,
    account_id: str | None = None,
    access_key_id: str | None = None,
    secret_access_key: str | None = None,
) -> Account:
    """Make an account with root credentials; what is not given is made up. Raises AccountError."""
    if not _NAME.fullmatch(name):
        raise AccountError("an account's name has 1 to 50 printable ASCII characters")
    if account_id is not None and not _ID.fullmatch(account_id):
        raise AccountError("an account's id has 12 digits")
    if access_key_id is not None and not _ACCESS_KEY_ID.fullmatch(access_key_id):
        raise AccountError("an access key id has 3 to 128 letters, digits and underscores")
    if access_key_id is not None and access_key_id.startswith(keys.TEMPORARY):
        raise AccountError(f"access key ids that begin with {keys.TEMPORARY} are those of sessions")
    if secret_access_key is not None and not 1 <= len(secret_access_key) <= 128:
        raise AccountError("a secret has 1 to 128 characters")
    await managed_policies.ensure(db)
    id = account_id or _new_id()
    if await db.fetchval(_ROW, id, name) is None:
        raise AccountError(f"there is an account with the id {id} or the name {name!r} already")
    key = access_key_id or keys.new_id(keys.LONG_TERM, id)
    secret = secret_access_key or keys.new_secret()
    if await db.fetchval(_KEY, key, id, sealer.seal(SECRET, secret.encode(), key)) is None:
        raise AccountError(f"the access key id {key} is taken")
    await announce(db, id)
    return Account(id, name, key, secret)


async def credentials(db: Unit, sealer: Sealer, account: str) -> Account | None:
    """An account, by name or id, with the oldest access key of its root user; None when there is none."""
    row = await db.fetchrow(_ROOT_KEY, account)
    if row is None:
        return None
    secret = sealer.open(SECRET, row["secret"], row["key"]).decode()
    return Account(row["id"], row["name"], row["key"], secret)


async def everyone(db: Unit) -> list[dict[str, object]]:
    """All accounts, oldest first: id, name, created_at."""
    return [dict(row) for row in await db.fetch(_LIST)]


def _new_id() -> str:
    """Twelve digits that do not begin with zero, as AWS gives them."""
    return str(10**11 + secrets.randbelow(9 * 10**11))
