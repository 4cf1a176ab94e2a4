"""celaje sms stop: phones that want no more text messages of an account."""

from __future__ import annotations

from typing import Annotated

import typer

from controlplane.cli.application import Failure, Home, application, load_settings, output
from controlplane.cli.owner import in_database
from controlplane.core.context import Unit
from controlplane.services.sns import sms as texts

sms = typer.Typer(help="Text messages that leave this cloud.", no_args_is_help=True)
application.add_typer(sms, name="sms")


@sms.callback()
def group() -> None:
    """Text messages that leave this cloud."""


@sms.command()
def stop(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Whose messages are not wanted.")],
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The phone, such as +34123456789.")],
    region: Annotated[str, typer.Option(help="Default: the cloud's first one.")] = "",
    home: Home = None,
) -> None:
    """Send a phone nothing more from an account, as when it has answered STOP; the account may opt it in again."""
    if not texts.E164.fullmatch(number):
        raise Failure("expected a number such as +34123456789")
    settings = load_settings(home=home)

    async def put(db: Unit, _: object) -> None:
        await texts.opt_out(db, account, region or settings.region, number)

    in_database(settings, put)
    output.print(f"{number} gets nothing more from {account}")
