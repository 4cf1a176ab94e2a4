"""What closing an account ends here: its delegations and handshakes, and an organization that it manages alone.

The account stays listed in its organization, suspended.
"""

from __future__ import annotations

from controlplane.services.organizations import levels
from controlplane.services.organizations.queries import tree
from controlplane.work.closing import frees
from controlplane.work.reconciler import Run

_DELEGATIONS = "DELETE FROM organizations_delegations WHERE member_id = $1"
_HANDSHAKES = """
UPDATE organizations_handshakes SET state = 'CANCELED'
WHERE target_type = 'ACCOUNT' AND target = $1 AND state IN ('OPEN', 'REQUESTED')
"""


@frees("organizations")
async def free(run: Run, account_id: str) -> bool:
    """Always done at once. An organization whose management account goes is dissolved: its members go on alone."""
    async with run.step() as db:
        await db.execute(_DELEGATIONS, account_id)
        await db.execute(_HANDSHAKES, account_id)
        organization = await tree.of_account(db, account_id)
        if organization is not None and organization["management_id"] == account_id:
            await tree.lock(db, organization["id"])
            members = [row["member_id"] for row in await tree.members(db, organization["id"])]
            await db.execute("DELETE FROM organizations_organizations WHERE id = $1", organization["id"])
            await levels.forget(db, members)
    return True
