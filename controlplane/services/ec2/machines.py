"""An instance as its host must have it: from rows to the agents' document."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from agents.contract.machine import Disk, Image, Machine, Metadata
from controlplane.services.ec2.catalog import TYPES
from controlplane.services.ec2.defaults import zone_id
from controlplane.services.ec2.shapes import metadata_options


def document(
    row: Any, image: Any, interfaces: Sequence[Any], volumes: Sequence[Any], tags: Mapping[str, str]
) -> Machine:
    """The desired state of an instance (rows of its tables)."""
    type = TYPES[row["type"]]
    return Machine(
        id=row["id"],
        vpc=row["vpc_id"],
        ports=tuple(item["id"] for item in interfaces),
        vcpus=type.vcpus,
        memory_mib=type.memory_mib,
        image=Image(
            id=image["id"],
            disk=image["disk"],
            kernel=image["kernel"],
            initrd=image["initrd"],
            command_line=image["command_line"],
            firmware=image["firmware"],
        ),
        disks=tuple(
            Disk(volume=item["id"], device=item["device"], size_gib=item["size_gib"], root=item["root"])
            for item in volumes
        ),
        metadata=_metadata(row, tags),
        run=row["goal"] == "running",
        boots=row["boots"],
    )


def _metadata(row: Any, tags: Mapping[str, str]) -> Metadata:
    options = metadata_options(row)
    return Metadata(
        account=row["account_id"],
        region=row["region"],
        zone=row["zone"],
        zone_id=zone_id(row["zone"]),
        instance_type=row["type"],
        ami_id=row["image_id"],
        launch_time=row["launched_at"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        launch_index=row["launch_index"],
        reservation=row["reservation_id"],
        public_keys=((row["key_name"], row["public_key"]),) if row["public_key"] else (),
        user_data=base64.b64encode(row["user_data"]).decode() if row["user_data"] is not None else None,
        role=row["role"],
        instance_profile_arn=row["profile_arn"],
        instance_profile_id=row["profile_id"],
        tokens_required=options["HttpTokens"] == "required",
        hop_limit=options["HttpPutResponseHopLimit"],
        endpoint_enabled=options["HttpEndpoint"] == "enabled",
        tags=tuple(sorted(tags.items())) if options["InstanceMetadataTags"] == "enabled" else None,
    )
