"""celaje mail relay: through which server mail leaves the cloud."""

from __future__ import annotations

from typing import Annotated

import typer

from controlplane.cli.application import Failure, Home, application, load_settings, output
from controlplane.cli.owner import in_database
from controlplane.core.context import Unit
from controlplane.services.ses import relaying
from controlplane.state.sealing import Sealer

mail = typer.Typer(help="Mail that leaves this cloud.", no_args_is_help=True)
application.add_typer(mail, name="mail")


@mail.command()
def relay(
    server: Annotated[str, typer.Argument(metavar="HOST:PORT", help="An SMTP server that takes mail for the world.")],
    user: Annotated[str, typer.Option(help="Whom to log in as; without it there is no login.")] = "",
    tls: Annotated[str, typer.Option(help="required (STARTTLS), implicit, or none.")] = "required",
    home: Home = None,
) -> None:
    """Send the accounts' mail through a server. Its password is read from standard input and kept sealed."""
    host, _, port = server.rpartition(":")
    if not host or not port.isdigit() or tls not in relaying.TLS:
        raise Failure("expected HOST:PORT, and one of required, implicit and none for --tls")
    if user and tls == "none":
        raise Failure("a password does not go over a connection without TLS")
    password = typer.prompt("Password", hide_input=True) if user else ""

    async def put(db: Unit, sealer: Sealer) -> None:
        await relaying.put(db, sealer, host.strip("[]"), int(port), tls, user, password)

    in_database(load_settings(home=home), put)
    output.print(f"mail leaves through {server}")


@mail.command()
def keep(home: Home = None) -> None:
    """Let no mail leave any more: it ends in the accounts' mailboxes."""
    in_database(load_settings(home=home), lambda db, _: relaying.drop(db))
    output.print("mail stays here")
