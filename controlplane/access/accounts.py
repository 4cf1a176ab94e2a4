"""Accounts of this cloud. Each is complete as soon as it exists; its root user has the first access key.

A closed account keeps its row, so that nobody gets its id again; a reconciler frees all that it held.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controlplane.access import keys, managed_policies
from controlplane.access.principals import SECRET, announce
from controlplane.core.context import Unit
from controlplane.core.ids import principal_id
from controlplane.state.sealing import Sealer
from controlplane.work.wake import wake

CLOSING = "access.closing"

_NAME = re.compile(r"[\x20-\x7e]{1,50}")
_ID = re.compile(r"\d{12}")
_ACCESS_KEY_ID = re.compile(r"\w{3,128}", re.ASCII)
_ROW = """
INSERT INTO access_accounts (id, name, email) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING id
"""
_NAME_TAKEN = "SELECT true FROM access_accounts WHERE name = $1 AND closed_at IS NULL"
_EMAIL_TAKEN = "SELECT true FROM access_accounts WHERE lower(email) = lower($1) AND closed_at IS NULL"
_FIND = """
SELECT id, name, email, created_at, closed_at FROM access_accounts
WHERE (id = $1 OR name = $1) AND closed_at IS NULL ORDER BY id = $1 DESC LIMIT 1
"""
_CLOSE = "UPDATE access_accounts SET closed_at = now() WHERE id = $1 AND closed_at IS NULL RETURNING true"
_ROLE = """
INSERT INTO access_identities (id, account_id, kind, name, path, trust_policy, max_session_seconds)
VALUES ($1, $2, 'role', $3, '/', $4, 3600)
"""
_INLINE = "INSERT INTO access_inline_policies (identity_id, name, document) VALUES ($1, $2, $3)"
_NOWHERE = ".celaje.internal"
_EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
_KEY = """
INSERT INTO access_keys (id, account_id, secret) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING id
"""
_ROOT_KEY = """
SELECT a.id, a.name, k.id AS key, k.secret FROM access_accounts a JOIN access_keys k ON k.account_id = a.id
WHERE (a.name = $1 OR a.id = $1) AND a.closed_at IS NULL AND k.user_id IS NULL AND k.status = 'Active'
ORDER BY k.created_at LIMIT 1
"""
_LIST = "SELECT id, name, created_at, closed_at, freed_at FROM access_accounts ORDER BY created_at, id"


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
    email: str | None = None,
    another_name_if_taken: bool = False,
) -> Account:
    """Make an account with root credentials; what is not given is made up. Raises AccountError.

    Names tell accounts apart in commands; with `another_name_if_taken` the id is added to one that another has.
    """
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
    if another_name_if_taken and await db.fetchval(_NAME_TAKEN, name):
        name = f"{name[:35]} ({id})"
    if await db.fetchval(_ROW, id, name, email) is None:
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


async def admit_administrators(db: Unit, account_id: str, role_name: str, trusted: str) -> None:
    """Make a role that may do everything in an account and that another account may hand out, as Organizations does."""
    principal = {"AWS": f"arn:aws:iam::{trusted}:root"}
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}],
    }
    id = principal_id("AROA")
    await db.execute(_ROLE, id, account_id, role_name, json.dumps(trust))
    await db.execute(_INLINE, id, "AdministratorAccess", json.dumps(_EVERYTHING))
    await announce(db, account_id)


async def close(db: Unit, account_id: str) -> bool:
    """Close an account: no credentials of it are good from the commit on, and all that it holds is freed behind it.
    False when it was closed before."""
    if not await db.fetchval(_CLOSE, account_id):
        return False
    await announce(db, account_id)
    await wake(db, CLOSING, account_id)
    return True


async def find(db: Unit, account: str) -> Any:
    """An account that is not closed, by id or name, or None."""
    return await db.fetchrow(_FIND, account)


async def email_is_taken(db: Unit, email: str) -> bool:
    """Whether an account that is not closed has this address. Those that `email_of` makes up are nobody's to take."""
    return email.lower().endswith(_NOWHERE) or bool(await db.fetchval(_EMAIL_TAKEN, email))


def email_of(row: Mapping[str, Any]) -> str:
    """The address of an account's root user; accounts that were made without have one that leads nowhere."""
    return row["email"] or f"root@{row['id']}{_NOWHERE}"


async def everyone(db: Unit) -> list[dict[str, object]]:
    """All accounts, oldest first: id, name, created_at, closed_at, freed_at."""
    return [dict(row) for row in await db.fetch(_LIST)]


def _new_id() -> str:
    """Twelve digits that do not begin with zero, as AWS gives them."""
    return str(10**11 + secrets.randbelow(9 * 10**11))
