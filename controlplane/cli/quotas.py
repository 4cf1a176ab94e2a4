"""celaje quota list, approve, deny and set: what accounts may hold, decided by the cloud's owner."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from controlplane.access import accounts
from controlplane.access import quotas as access
from controlplane.cli.application import Failure, Home, application, load_settings, output
from controlplane.cli.owner import in_database
from controlplane.core.context import Unit
from controlplane.services.servicequotas import requests

quota = typer.Typer(help="Quotas of this cloud's accounts.", no_args_is_help=True)
application.add_typer(quota, name="quota")


@quota.command("list")
def list_requests(home: Home = None) -> None:
    """Show the requests for more that wait for an answer."""
    table = Table("request", "account", "region", "quota", "wants", box=None, pad_edge=False, header_style="bold")
    for row in in_database(load_settings(home=home), lambda db, _: requests.pending(db)):
        name = access.catalogue()[row["quota"]].name
        region, wanted = row["region"] or "all", f"{row['value']:g}"
        table.add_row(row["id"], row["account_name"], region, f"{row['quota']} {name}", wanted)
    output.print(table)


@quota.command()
def approve(id: Annotated[str, typer.Argument(help="As `celaje quota list` shows it.")], home: Home = None) -> None:
    """Grant a request."""
    _decide(id, home, approved=True)


@quota.command()
def deny(id: Annotated[str, typer.Argument(help="As `celaje quota list` shows it.")], home: Home = None) -> None:
    """Refuse a request."""
    _decide(id, home, approved=False)


def _decide(id: str, home: Any, *, approved: bool) -> None:
    row = in_database(load_settings(home=home), lambda db, _: requests.decide(db, id, approved=approved))
    if row is None:
        raise Failure(f"no request {id!r} waits; `celaje quota list` shows all.")
    output.print(f"{row['quota']} of {row['account_id']}: {row['value']:g} {row['status'].lower()}")


@quota.command("set")
def set_quota(
    key: Annotated[str, typer.Argument(help="Service and code, such as ec2/L-1216C47A.")],
    value: Annotated[float, typer.Argument(min=0)],
    name: Annotated[str, typer.Option("--account", help="Name or id of the account.")],
    region: Annotated[str, typer.Option(help="One region only; all of them when left out.")] = access.EVERYWHERE,
    home: Home = None,
) -> None:
    """Set what an account may hold, more or less than the default."""
    if key not in access.catalogue():
        raise Failure(f"no quota {key!r}; known are {', '.join(sorted(access.catalogue()))}.")

    async def grant(db: Unit, _: object) -> bool:
        found = await accounts.find(db, name)
        if found is not None:
            await access.grant(db, found["id"], region, key, value)
        return found is not None

    if not in_database(load_settings(home=home), grant):
        raise Failure(f"no account {name!r}; `celaje account list` shows all.")
    output.print(f"{access.catalogue()[key].name}: {value:g} for {name}")
