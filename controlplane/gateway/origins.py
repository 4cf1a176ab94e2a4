"""What keeps the console apart from what accounts show: a browser lets the pages of one host look into each other."""

from __future__ import annotations

import re
from collections.abc import Sequence

from controlplane.core.http import HttpRequest, HttpResponse
from controlplane.gateway.exchange import Exchange
from controlplane.wire.index import Index
from controlplane.wire.scope import host_facts

SANDBOX = "sandbox allow-scripts allow-forms allow-modals allow-popups allow-downloads"
"""A page may do all that a page does, as one of a host of its own."""
_HARMLESS = re.compile(
    r"(?:(?:image/(?!svg)|audio/|video/|font/)[\w.+-]+|binary/octet-stream|application/(?:octet-stream|pdf|json|zip|gzip)|"
    r"text/(?:plain|css|csv|javascript))(?:;[^,]*)?",  # of several types with commas, browsers take the last
    re.IGNORECASE,
)
"""Types that browsers never take for a page; others are tried."""


def is_of_bucket(request: HttpRequest, index: Index, own_names: Sequence[str]) -> bool:
    """Whether a request's host names a bucket, as a website or below a name of the cloud's."""
    return host_facts(request.headers.get("host", ""), index, own_names).bucket is not None


def needs_sandbox(exchange: Exchange, response: HttpResponse) -> bool:
    """Whether an object that a browser may have come for by a link is answered, and may be a page."""
    if "authorization" in exchange.request.headers or response.status not in (200, 206):
        return False
    if exchange.route is None or exchange.route.operation_name != "GetObject" or exchange.route.service.name != "s3":
        return False
    return _HARMLESS.fullmatch(response.headers.get("Content-Type", "")) is None
