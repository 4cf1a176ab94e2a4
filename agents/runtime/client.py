"""The agent's calls to the control plane."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

from agents.contract.exchange import PREFIX, Credentials, Desired, Join, Joined, Noted, Observed
from agents.contract.queries import Queries


class Unauthorized(Exception):
    """The control plane does not know the host's token (any more)."""


class Client:
    """Speaks the calls of `agents.contract.exchange`. Raises httpx.HTTPError when the control plane is away."""

    def __init__(self, endpoint: str) -> None:
        self._http = httpx.AsyncClient(base_url=endpoint.rstrip("/") + PREFIX, timeout=10, trust_env=False)

    def use_token(self, token: str) -> None:
        """Present the host's token from now on."""
        self._http.headers["authorization"] = f"Bearer {token}"

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def join(self, join: Join, join_token: str) -> Joined:
        """Introduce the host."""
        headers = {"authorization": f"Bearer {join_token}", "content-type": "application/json"}
        response = await self._http.post("/join", content=join.model_dump_json(), headers=headers)
        return Joined.model_validate_json(_checked(response).content)

    async def desired(self, after: int, wait: int) -> Desired:
        """What changed after a generation; waits up to `wait` seconds for something new."""
        response = await self._http.get("/desired", params={"after": after, "wait": wait}, timeout=wait + 10)
        return Desired.model_validate_json(_checked(response).content)

    async def observed(self, observed: Observed) -> Noted:
        """Tell what the host sees."""
        headers = {"content-type": "application/json"}
        response = await self._http.post("/observed", content=observed.model_dump_json(), headers=headers)
        return Noted.model_validate_json(_checked(response).content)

    async def blob(self, digest: str) -> AsyncIterator[bytes]:
        """The bytes of a blob, in pieces."""
        async with self._http.stream("GET", f"/blobs/{digest}", timeout=60) as response:
            async for piece in _checked(response).aiter_bytes(1 << 20):
                yield piece

    async def credentials(self, machine: str) -> Credentials | None:
        """Temporary credentials of a machine's role, or None when it has none."""
        response = await self._http.get(f"/machines/{machine}/credentials")
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        return Credentials.model_validate_json(_checked(response).content)

    async def console(self, machine: str, content: bytes) -> None:
        """Store the end of a machine's serial console."""
        _checked(await self._http.put(f"/machines/{machine}/console", content=content))

    async def queries(self, queries: Queries) -> None:
        """Tell what guests asked."""
        headers = {"content-type": "application/json"}
        _checked(await self._http.post("/queries", content=queries.model_dump_json(), headers=headers))


def _checked(response: httpx.Response) -> httpx.Response:
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise Unauthorized(f"{response.request.method} {response.request.url.path}: {response.status_code}")
    return response.raise_for_status()
