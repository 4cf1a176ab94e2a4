"""What lies between the database and the operations, put together for a gateway or for the worker of reconcilers."""

from __future__ import annotations

from typing import Any

from controlplane.access.attempts import Attempts
from controlplane.access.authorize import Authorizer
from controlplane.access.forms import Forms
from controlplane.access.principals import Principals
from controlplane.access.recorder import Recorder
from controlplane.access.trail.recorder import Trail
from controlplane.core.context import Cloud
from controlplane.engines.blobs.both import BothBlobs
from controlplane.engines.blobs.files import FileBlobs
from controlplane.engines.dns.powerdns import PowerDns
from controlplane.engines.phones.http import HttpGateways
from controlplane.fleet.outbound import Outbound
from controlplane.gateway.dispatch import Dispatcher
from controlplane.gateway.public_names import PublicNames
from controlplane.gateway.registry import Registry
from controlplane.settings import Settings
from controlplane.state.bells import Bells
from controlplane.state.database import Database
from controlplane.state.listen import Listener
from controlplane.state.sealing import Sealer, load_root_key


def blobs_of(settings: Settings) -> FileBlobs | BothBlobs:
    """The store of blobs that the settings name."""
    files = FileBlobs(settings.blobs, settings.tiers)
    if settings.blob_cluster is None:
        return files
    from controlplane.engines.blobs.cluster import ClusterBlobs  # its client takes a tenth of a process's start

    cluster = ClusterBlobs(settings.blob_cluster, settings.cache / "blobs-aside")
    return BothBlobs(files, cluster, new_to_cluster=settings.new_blobs == "cluster")


class Assembly:
    """The services with all that their operations need. Nothing runs before `start`."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.sealer = Sealer(load_root_key(settings.root_key))
        self.listener = Listener(settings.database)
        self.principals = Principals(database, self.sealer, self.listener)
        self.recorder = Recorder(database)
        self.trail = Trail(database)
        self.authorizer = Authorizer(self.principals, self.sealer, self.recorder)
        self.cloud = Cloud(
            settings.regions,
            settings.public_range,
            settings.quota_auto_approve,
            settings.home / "prices.toml",
            settings.new_buckets,
            settings.dns_places,
            settings.storage_day,
            settings.owner_names,
            settings.mail_recipients,
            settings.own_names,
            settings.reached_at,
            settings.sms_ceiling,
            settings.sms_sandbox,
            {} if settings.s3_compatibility == "aws" else {"s3": settings.s3_compatibility},
        )
        self.blobs = blobs_of(settings)
        self.registry = Registry.scan()
        self.engines: dict[str, Any] = {
            "blobs": self.blobs,
            "dns": PowerDns(settings.run, settings.dns_address),
            "sealing": self.sealer,
            "mailroom": settings.smtp_wanted,
            "phones": HttpGateways(settings.sms_gateway, settings.push_gateway),
            "outbound": Outbound(database, settings.reachable),
            "forms": Forms(self.principals, self.sealer),
            "attempts": Attempts(database),
            "database": database,
            "public_names": PublicNames(self.registry, self.cloud),
        }
        self.dispatcher = Dispatcher(self.registry, self.authorizer, self.engines, self.cloud, self.trail)
        self._folder = settings.run / "bells"

    def start(self) -> None:
        """Listen and record."""
        self._bells = self.engines["bells"] = Bells.open(self._folder)
        self.listener.start()
        self.recorder.start()
        self.trail.start()

    async def stop(self) -> None:
        self._bells.close()
        await self.trail.stop()
        await self.recorder.stop()
        await self.listener.stop()
