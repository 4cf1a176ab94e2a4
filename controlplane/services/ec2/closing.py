"""What closing an account frees here: machines with their disks and ports, public addresses, networks on hosts."""

from __future__ import annotations

from controlplane.fleet import consoles
from controlplane.services.ec2.reconcilers import INSTANCE, VPC
from controlplane.state.erasure import erase
from controlplane.work.closing import frees, keeps
from controlplane.work.reconciler import Run
from controlplane.work.wake import wake

# Other accounts may run from its images: these are deregistered, as their owner would. Instances go one by one, so that
# none is forgotten that a late request has launched meanwhile.
_NOT_BY_ACCOUNT = ("ec2_images", "ec2_instances")
keeps(*_NOT_BY_ACCOUNT)

_END = """
UPDATE ec2_instances SET goal = 'terminated', state = 'shutting-down', reason_code = 'Server.AccountClosed',
  reason_message = 'Server.AccountClosed: The account was closed', transition_reason = 'Account closed'
WHERE account_id = $1 AND goal <> 'terminated' RETURNING id
"""
_INSTANCES = "SELECT id, state FROM ec2_instances WHERE account_id = $1"
_GONE = "DELETE FROM ec2_instances WHERE account_id = $1 AND state = 'terminated' RETURNING id"
_VPCS = "SELECT id FROM ec2_vpcs WHERE account_id = $1"
_DEREGISTER = "UPDATE ec2_images SET state = 'deregistered', launch_permissions = '{}' WHERE account_id = $1"


@frees("ec2")
async def free(run: Run, account_id: str) -> bool:
    """Terminate all instances; once their hosts report them gone, drop the rest and take the networks off the hosts."""
    async with run.step() as db:
        for row in await db.fetch(_END, account_id):
            await wake(db, INSTANCE, row["id"])
        instances = await db.fetch(_INSTANCES, account_id)
    if any(row["state"] != "terminated" for row in instances):
        return False
    async with run.step() as db:
        vpcs = await db.fetch(_VPCS, account_id)
        await db.execute(_DEREGISTER, account_id)
        gone = await db.fetch(_GONE, account_id)
        await erase(db, account_id, prefix="ec2_", kept=_NOT_BY_ACCOUNT)
        for row in gone:
            await consoles.forget(db, row["id"])
        for row in vpcs:
            await wake(db, VPC, row["id"])
    return True
