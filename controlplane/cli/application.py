"""What all commands share: the application, its consoles, its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from controlplane import settings as configuration
from controlplane.settings import Settings
from controlplane.supervise import control

application = typer.Typer(
    name="celaje",
    help="A self-hosted mini cloud.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
output = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

Home = Annotated[Path | None, typer.Option("--home", help="Folder of the cloud's state [env: CELAJE_HOME].")]


class Failure(Exception):
    """An expected failure; the message tells the user what to do."""


def load_settings(**overrides: Any) -> Settings:
    """The settings, or a Failure that names what is wrong with them."""
    try:
        return configuration.load(**overrides)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
        raise Failure(f"bad settings: {problems}") from error
    except (OSError, ValueError) as error:
        raise Failure(f"bad settings: {error}") from error


def status_of(settings: Settings) -> dict[str, Any] | None:
    """The supervisor's status document; None when no cloud runs in this home."""
    try:
        return next(control.ask(settings.home / "control.sock", "status", 5.0))
    except (FileNotFoundError, ConnectionRefusedError, StopIteration):
        return None
    except PermissionError as error:
        raise Failure(f"{settings.home} belongs to another user; try with sudo.") from error


def endpoint(settings: Settings) -> str:
    """Where the running cloud listens (`celaje up --listen` may have said so), or where it would."""
    status = status_of(settings)
    return str(status["endpoint"]) if status is not None else settings.endpoint
