"""The `celaje` command. One file a group of commands; each registers its commands on `application`."""

from __future__ import annotations

import sys

from controlplane.cli import (  # noqa: F401  (they register their commands)
    accounts,
    blobs,
    decisions,
    develop,
    images,
    lifecycle,
    mail,
    observe,
    quotas,
    scaffold,
    sms,
    welcome,
    zones,
)
from controlplane.cli.application import Failure, application, errors

__all__ = ["main"]


def main() -> None:
    """Entry point. Expected failures are one line on standard error, never a traceback."""
    try:
        application()
    except Failure as failure:
        errors.print(f"[red]celaje:[/red] {failure}", highlight=False)
        sys.exit(1)
