"""Makes the accounts that were asked for, and ends handshakes that nobody answered."""

from __future__ import annotations

from typing import Any

from controlplane.access import accounts
from controlplane.core.context import Unit
from controlplane.services.organizations import membership
from controlplane.services.organizations.queries import tree
from controlplane.work.reconciler import Outcome, Run, reconciler

ACCOUNT_REQUEST = "organizations.account-request"
HANDSHAKES = "organizations.handshakes"
EVERY_SECONDS = 300.0

_REQUEST = "SELECT * FROM organizations_account_requests WHERE id = $1"
_END = """
UPDATE organizations_account_requests SET state = $2, failure = $3, created_id = $4, completed_at = now() WHERE id = $1
"""
_EXPIRE = """
UPDATE organizations_handshakes SET state = 'EXPIRED' WHERE state IN ('OPEN', 'REQUESTED') AND expires_at <= now()
"""


@reconciler(ACCOUNT_REQUEST)
async def make_account(run: Run, key: str) -> Outcome:
    """Make the account of a request in one transaction, so that a worker that dies leaves none or all of it."""
    async with run.step() as db:
        asked = await db.fetchrow(_REQUEST, key)
        if asked is None:
            return None
        organization = await tree.lock(db, asked["organization_id"])
        asked = await db.fetchrow(_REQUEST, key)
        if organization is None or asked is None or asked["state"] != "IN_PROGRESS":
            return None
        if await membership.is_full(db, organization, pending=False):
            await db.execute(_END, key, "FAILED", "ACCOUNT_LIMIT_EXCEEDED", None)
            return None
        if await accounts.email_is_taken(db, asked["email"]):
            await db.execute(_END, key, "FAILED", "EMAIL_ALREADY_EXISTS", None)
            return None
        await _make(run, db, organization, asked)
    return None


async def _make(run: Run, db: Unit, organization: Any, asked: Any) -> None:
    made = await accounts.create(
        db, run.engine("sealing"), asked["name"], email=asked["email"], another_name_if_taken=True
    )
    await accounts.admit_administrators(db, made.id, asked["role_name"], organization["management_id"])
    await membership.admit(db, organization, made.id, "CREATED")
    await tree.put_tags(db, organization["id"], made.id, asked["tags"])
    await db.execute(_END, asked["id"], "SUCCEEDED", None, made.id)


@reconciler(HANDSHAKES, every=EVERY_SECONDS, standing=True)
async def expire_handshakes(run: Run, _: str) -> Outcome:
    """End handshakes whose fifteen days are over."""
    async with run.step() as db:
        await db.execute(_EXPIRE)
    return None
