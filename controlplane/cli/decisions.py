"""celaje explain."""

from __future__ import annotations

from typing import Annotated

import typer

from controlplane.access import explain as explaining
from controlplane.cli.application import Failure, Home, application, load_settings
from controlplane.cli.owner import in_database


@application.command()
def explain(
    request_id: Annotated[str, typer.Argument(help="As the error or the response's x-amzn-RequestId says.")],
    home: Home = None,
) -> None:
    """Tell why a request was allowed or denied: policies asked, the deciding statement, condition values."""
    decisions = in_database(load_settings(home=home), lambda db, _: explaining.find(db, request_id))
    if not decisions:
        raise Failure(
            f"no decision is kept of the request {request_id!r}: denials are kept for a week, "
            "allowances as far as there is room, and a request that was refused earlier has none."
        )
    for decision in decisions:
        for line in explaining.tell(decision):
            print(line)
