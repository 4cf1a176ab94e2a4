"""Whether this worker can serve: for the supervisor, load balancers and `celaje status`."""

from __future__ import annotations

from fastapi import APIRouter, Response

from controlplane.core.errors import ServiceUnavailable
from controlplane.state.database import Database


def health_routes(database: Database) -> APIRouter:
    """`GET /_celaje/health`: 200 when the database answers, 503 when it does not."""
    routes = APIRouter(prefix="/_celaje", tags=["health"])

    async def health(response: Response) -> dict[str, str]:
        try:
            await database.fetch("SELECT 1")
        except (ServiceUnavailable, OSError, TimeoutError) as error:
            response.status_code = 503
            return {"status": "unavailable", "reason": str(error)}
        return {"status": "ok"}

    routes.add_api_route("/health", health)
    return routes
