"""celaje env, celaje account add, close and list."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer
from rich.table import Table

from controlplane.access import accounts
from controlplane.access.accounts import AccountError
from controlplane.cli.application import Failure, Home, application, endpoint, load_settings, output
from controlplane.cli.owner import in_database
from controlplane.core.context import Unit
from controlplane.settings import Settings
from controlplane.state.sealing import Sealer
from controlplane.supervise.bootstrap import FIRST_ACCOUNT

account = typer.Typer(help="Accounts of this cloud.", no_args_is_help=True)
application.add_typer(account, name="account")


@application.command()
def env(
    name: Annotated[str, typer.Option("--account", help="Name or id of the account.")] = FIRST_ACCOUNT,
    home: Home = None,
) -> None:
    """Print exports for AWS's clients: eval $(celaje env)."""
    settings = load_settings(home=home)
    found = in_database(settings, lambda db, sealer: accounts.credentials(db, sealer, name))
    if found is None:
        raise Failure(f"no account {name!r}; `celaje account list` shows all.")
    _print_exports(settings, found)


@account.command()
def add(
    name: Annotated[str, typer.Argument(help="A name of your choice.")],
    id: Annotated[str | None, typer.Option("--id", metavar="12-DIGITS", help="Made up when left out.")] = None,
    access_key_id: Annotated[str | None, typer.Option(help="Of the root user; made up when left out.")] = None,
    secret_access_key: Annotated[str | None, typer.Option(help="Made up when left out.")] = None,
    home: Home = None,
) -> None:
    """Make an account and print the exports with the keys of its root user."""
    settings = load_settings(home=home)

    async def create(db: Unit, sealer: Sealer) -> accounts.Account:
        return await accounts.create(
            db, sealer, name, account_id=id, access_key_id=access_key_id, secret_access_key=secret_access_key
        )

    try:
        made = in_database(settings, create)
    except AccountError as error:
        raise Failure(f"{error}.") from error
    output.print(f"# account {made.name}, id {made.id}")
    _print_exports(settings, made)


@account.command()
def close(
    name: Annotated[str, typer.Argument(help="Name or id of the account.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: Home = None,
) -> None:
    """Close an account for ever: its keys stop at once, its machines, disks, networks and all the rest are freed."""
    settings = load_settings(home=home)
    found = in_database(settings, lambda db, _: accounts.find(db, name))
    if found is None:
        raise Failure(f"no account {name!r}; `celaje account list` shows all.")
    if not yes:
        typer.confirm(f"Close {found['name']} ({found['id']}) and delete all that it holds?", abort=True)
    in_database(settings, lambda db, _: accounts.close(db, found["id"]))
    output.print(f"{found['name']} ({found['id']}) is closed; what it held is being freed.")


@account.command("list")
def list_accounts(home: Home = None) -> None:
    """Show all accounts."""
    table = Table("name", "id", "since", "state", box=None, pad_edge=False, header_style="bold")
    for row in in_database(load_settings(home=home), lambda db, _: accounts.everyone(db)):
        state = "open" if row["closed_at"] is None else "closed" if row["freed_at"] else "closing"
        table.add_row(str(row["name"]), str(row["id"]), f"{row['created_at']:%Y-%m-%d %H:%M}", state)
    output.print(table)


def _print_exports(settings: Settings, keys: accounts.Account) -> None:
    variables = {
        "AWS_ENDPOINT_URL": endpoint(settings),
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_REGION": settings.region,
        "AWS_DEFAULT_REGION": settings.region,
    }
    for variable, value in variables.items():
        print(f"export {variable}={shlex.quote(value)}")
    print("unset AWS_SESSION_TOKEN AWS_PROFILE")
