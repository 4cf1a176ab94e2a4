"""Commands for those who work on Celaje: celaje migration."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from controlplane.cli.application import application, output
from controlplane.state import migrate
from controlplane.supervise.scratch import scratch_postgres


@application.command()
def migration(name: Annotated[str, typer.Argument(help="What changes, in a few words.")]) -> None:
    """Write the migration that brings the database from the last one to what the models say now."""
    with scratch_postgres() as url:
        asyncio.run(migrate.upgrade(url))
        path = migrate.generate(url, name)
    output.print(f"Wrote {path}. Read it before you commit it.")
