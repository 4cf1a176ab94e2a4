"""celaje blobs migrate: moves the bytes of objects between files and a cluster, while the store serves."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from controlplane.cli.application import Failure, Home, application, errors, load_settings, output
from controlplane.core.errors import EngineError
from controlplane.engines.blobs.both import BothBlobs
from controlplane.engines.blobs.migrating import migrate as move
from controlplane.settings import Settings
from controlplane.state.database import Database
from controlplane.supervise import ground
from controlplane.work.reconciler import import_all_reconcilers

blobs = typer.Typer(help="Where the bytes of objects lie.", no_args_is_help=True)
application.add_typer(blobs, name="blobs")


@blobs.command()
def migrate(
    target: Annotated[str, typer.Argument(help="files or cluster.")],
    home: Home = None,
) -> None:
    """Move all blobs. Those at the old place are deleted as orphans, a day later at the latest."""
    from controlplane.gateway.assembly import blobs_of  # here, because it loads the whole control plane

    settings = load_settings(home=home)
    if target not in ("files", "cluster"):
        raise Failure("blobs move to `files` or to `cluster`.")
    found = blobs_of(settings)
    if not isinstance(found, BothBlobs):
        raise Failure("no cluster is set; see CELAJE_BLOB_CLUSTER.")
    import_all_reconcilers()  # they say which tables hold blobs
    output.print(f"{ground.as_owner(settings, lambda: _migrate(settings, found, target))} blobs moved to {target}")


def _migrate(settings: Settings, found: BothBlobs, target: str) -> int:
    to_cluster = target == "cluster"
    old, new = (found.files, found.cluster) if to_cluster else (found.cluster, found.files)

    async def run() -> int:
        database = await Database.open(settings.database, generations=settings.generations, size=4)
        try:
            return await move(database, old, new, to_cluster=to_cluster, told=_tell)
        finally:
            await database.close()

    try:
        return asyncio.run(run())
    except (EngineError, OSError) as error:
        raise Failure(f"the blobs could not all be moved: {error}") from error


def _tell(moved: int) -> None:
    errors.print(f"{moved} blobs moved so far")
