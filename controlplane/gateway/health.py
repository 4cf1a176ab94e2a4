"""Whether this worker can serve: for the supervisor, load balancers and `celaje status`."""

from __future__ import annotations

import ipaddress

from fastapi import APIRouter, HTTPException, Request, Response

from controlplane.core.errors import ServiceUnavailable
from controlplane.gateway.meter import Meter
from controlplane.state.database import Database


def health_routes(database: Database, meter: Meter) -> APIRouter:
    """`GET /_celaje/health`: 200 when the database answers, 503 when it does not. `GET /_celaje/metrics`: counts
    in Prometheus' text format, for callers on this machine only."""
    routes = APIRouter(prefix="/_celaje", tags=["health"])

    async def health(response: Response) -> dict[str, str]:
        try:
            await database.fetch("SELECT 1")
        except (ServiceUnavailable, OSError, TimeoutError) as error:
            response.status_code = 503
            return {"status": "unavailable", "reason": str(error)}
        return {"status": "ok"}

    async def metrics(request: Request) -> Response:
        # A caller that comes through a proxy of this machine's is not known to be on it.
        near = request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
        if not near or any(name in request.headers for name in ("x-forwarded-for", "forwarded")):
            raise HTTPException(403, "metrics are for callers on this machine")
        async with database.unit() as db:
            return Response(await meter.text(db), media_type="text/plain; version=0.0.4")

    routes.add_api_route("/health", health)
    routes.add_api_route("/metrics", metrics)
    return routes
