"""What services declare in their `public_names.py`, as Route 53 and the gateway ask for it."""

from __future__ import annotations

from controlplane.core.context import Cloud, Unit
from controlplane.core.public_names import AliasTarget, Site
from controlplane.gateway.registry import Registry


class PublicNames:
    """The targets of aliases and the hosts of sites, of all services. The engine `public_names`."""

    def __init__(self, registry: Registry, cloud: Cloud) -> None:
        entries = registry.services.values()
        self._cloud = cloud
        self._targets = [spec for entry in entries for spec in entry.alias_targets]
        self._hosts = [(entry.model, find) for entry in entries for find in entry.hosts]
        self.zones = frozenset(id for spec in self._targets for id in spec.zones)
        """Ids of the hosted zones that the names of services' targets have at AWS."""

    async def target(self, db: Unit, name: str) -> AliasTarget | None:
        """What a name (small letters, no last dot) is of."""
        for spec in self._targets:
            if (found := await spec.find(db, self._cloud, name)) is not None:
                return found
        return None

    async def site(self, db: Unit, host: str) -> tuple[str, Site] | None:
        """The model of the service that shows a host's pages, and how."""
        for model, find in self._hosts:
            if (found := await find(db, host)) is not None:
                return model, found
        return None
