"""What must be there before the gateway starts: the schema, the root key, the join token, a first account.

Runs once at every start, as the unprivileged user, so that what it makes belongs to that user.
"""

from __future__ import annotations

import asyncio
import os
import secrets

from controlplane import settings as configuration
from controlplane.access import accounts, managed_policies
from controlplane.core import log
from controlplane.settings import Settings
from controlplane.state import migrate
from controlplane.state.database import Database
from controlplane.state.sealing import Sealer, load_root_key

FIRST_ACCOUNT = "main"


async def bootstrap(settings: Settings) -> None:
    """Idempotent."""
    await migrate.upgrade(settings.database)
    sealer = Sealer(load_root_key(settings.root_key))
    if not settings.join_token.exists():
        new = settings.join_token.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
        new.rename(settings.join_token)
    await _first_account(settings, sealer)


async def _first_account(settings: Settings, sealer: Sealer) -> None:
    database = await Database.open(settings.database, generations=settings.generations, size=1)
    try:
        async with database.unit() as db:
            await managed_policies.ensure(db)
            if not await accounts.everyone(db):
                await accounts.create(db, sealer, FIRST_ACCOUNT)
    finally:
        await database.close()


def main() -> None:
    settings = configuration.load()
    log.configure("bootstrap", settings.log_level)
    asyncio.run(bootstrap(settings))


if __name__ == "__main__":
    main()
