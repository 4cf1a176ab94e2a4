"""Credentials of instance profiles, for the agents that hand them to guests."""

from __future__ import annotations

from datetime import UTC, datetime

from agents.contract.exchange import Credentials
from controlplane.access.directory import credentials_for_service
from controlplane.core.context import Unit
from controlplane.fleet import desired
from controlplane.fleet.agents_api import IssueCredentials
from controlplane.state.sealing import Sealer

SERVICE = "ec2.amazonaws.com"
SECONDS = 6 * 3600


def issuer(sealer: Sealer) -> IssueCredentials:
    """What the agents' API calls: a host gets credentials only for machines that belong on it."""

    async def issue(db: Unit, host: str, machine: str) -> Credentials | None:
        wanted = await desired.machine_on(db, host, machine)
        if wanted is None or wanted.metadata.role is None:
            return None
        account, role = wanted.metadata.account, wanted.metadata.role
        found = await credentials_for_service(db, sealer, account, role, SERVICE, machine, SECONDS)
        if found is None:
            return None
        return Credentials(
            access_key_id=found.access_key_id,
            secret_access_key=found.secret_access_key,
            token=found.token,
            last_updated=_stamp(datetime.now(UTC)),
            expiration=_stamp(found.expires_at),
        )

    return issue


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
