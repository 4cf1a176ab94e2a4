"""celaje explain: why a request was allowed or denied."""

from __future__ import annotations

from typing import Annotated

import typer

from controlplane.access import explain as decisions
from controlplane.cli.application import Failure, Home, application, load_settings, output
from controlplane.cli.owner import in_database


@application.command()
def explain(
    request_id: Annotated[str, typer.Argument(help="From the error message or the x-amzn-requestid header.")],
    home: Home = None,
) -> None:
    """Tell which policies were asked about a request, and which statement decided."""
    found = in_database(load_settings(home=home), lambda db, _: decisions.find(db, request_id))
    if not found:
        raise Failure(f"nothing is known of {request_id}: it asked nothing, or it is too old.")
    for decision in found:
        for line in decisions.tell(decision):
            output.print(line, markup=False, soft_wrap=True)
