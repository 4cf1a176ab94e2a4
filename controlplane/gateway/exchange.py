"""One request on its way through the pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from controlplane.core.compatibility import Compatibility
from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.http import HttpRequest, HttpResponse
from controlplane.core.operation import OperationSpec
from controlplane.core.principal import ANONYMOUS, Principal
from controlplane.gateway.registry import ServiceEntry
from controlplane.wire.route import Route


@dataclass(slots=True)
class Exchange:
    """What is known of a request so far; each step fills in its part."""

    request: HttpRequest
    request_id: str
    route: Route | None = None
    principal: Principal = ANONYMOUS
    parameters: dict[str, Any] = field(default_factory=dict)
    entry: ServiceEntry | None = None
    spec: OperationSpec | None = None
    compatibility: Compatibility | None = None
    context: Context | None = None
    result: Any = None
    response: HttpResponse | None = None
    error: AwsError | None = None
    sent: int = 0
    """Bytes of the answer's body that went out."""
    spans: dict[str, float] = field(default_factory=dict)
    """Seconds that each step took."""
