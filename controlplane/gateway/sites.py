"""Requests to hosts that are not this cloud's own, but of something in it: `www.example.com`, a bucket's website.

Accounts choose such names. So whatever has a signature, looks like a call of an API or names the cloud itself has been
decided before anything is looked up, and never comes here.
"""

from __future__ import annotations

from collections.abc import Sequence

from controlplane.core.http import HttpRequest
from controlplane.core.public_names import Site
from controlplane.gateway.public_names import PublicNames
from controlplane.gateway.translate import translate
from controlplane.state.database import Database
from controlplane.wire.index import Index
from controlplane.wire.route import Route, page_route
from controlplane.wire.scope import foreign_host, foreign_name


class Sites:
    """Finds the site that a request is for. No site has a name of `own` or one below them, nor one that begins with a
    name of `machines`: whatever domain a network puts behind this machine's name leads to the cloud itself."""

    def __init__(
        self, database: Database, names: PublicNames, index: Index, own: Sequence[str], machines: Sequence[str]
    ) -> None:
        self._database = database
        self._names = names
        self._index = index
        self._own = tuple(own)
        self._machines = frozenset(machines)

    async def route(self, request: HttpRequest) -> Route | None:
        """The route to the page of a site; None where the request is for no site.

        Raises Unroutable, and what tells that nobody can say it now.
        """
        found = await self._find(foreign_host(request, self._index, self._own))
        if found is None:
            return None
        model, site = found
        return page_route(request, self._index, model, site.operation, site.region, site.labels)

    async def has(self, host: str) -> bool:
        """Whether a Host header is of a site, whatever is asked there. Raises what tells that nobody can say it now."""
        return await self._find(foreign_name(host, self._index, self._own)) is not None

    async def _find(self, name: str | None) -> tuple[str, Site] | None:
        if name is None or name.partition(".")[0] in self._machines:
            return None
        try:
            async with self._database.unit() as db:
                return await self._names.site(db, name)
        except Exception as error:  # the cloud's own pages are not shown where a bucket's may be
            raise translate(error) from error
