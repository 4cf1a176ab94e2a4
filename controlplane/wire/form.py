"""Form bodies of the query protocols."""

from __future__ import annotations

from controlplane.core.http import HttpRequest
from controlplane.wire.compression import inflate
from controlplane.wire.errors import Malformed
from controlplane.wire.limits import Limits
from controlplane.wire.paths import BadEscape, parse_pairs

FORM_TYPE = "application/x-www-form-urlencoded"


def body_names_action(request: HttpRequest) -> bool:
    """The operation's name may stand in the body, so the body is needed to find the route."""
    if request.method != "POST" or "x-amz-target" in request.headers:
        return False
    return request.headers.get("content-type", "").lower().startswith(FORM_TYPE)


def read_form(request: HttpRequest, limits: Limits) -> dict[str, str]:
    """The parameters of a form body. Raises Malformed, also when a name comes twice with two values."""
    found: dict[str, str] = {}
    try:
        for name, value in parse_pairs(inflate(request, limits), limits.parameters):
            if found.setdefault(name, value) is not value and found[name] != value:
                raise Malformed(f"Duplicate parameter {name[:100]}", name=name[:100])
    except BadEscape as error:
        raise Malformed(f"The request body is not a valid form: {error}") from error
    return found
