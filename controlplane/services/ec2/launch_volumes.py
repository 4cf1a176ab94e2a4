"""The volumes that instances are launched with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controlplane.core.context import Context
from controlplane.core.ids import resource_id
from controlplane.services.ec2 import tagging
from controlplane.services.ec2.errors import InvalidParameterValue, MissingParameter
from controlplane.services.ec2.nouns import VOLUME

_MOST_GIB = 16384
_CREATE = """
INSERT INTO ec2_volumes (id, account_id, region, zone, size_gib, type, iops, throughput, snapshot_id, encrypted, root,
    instance_id, device, attached_at, delete_on_termination)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, now(), $14)
"""


@dataclass(frozen=True, slots=True)
class VolumePlan:
    """One disk to be made. `size_gib` counts; the root's device is the image's."""

    device: str
    size_gib: int
    root: bool
    type: str = "gp3"
    iops: int | None = None
    throughput: int | None = None
    encrypted: bool = False
    delete_on_termination: bool = True


def planned(request: Any, image: Any) -> list[VolumePlan]:
    """The root and what else a request maps. Raises MissingParameter, InvalidParameterValue."""
    given = {item.get("DeviceName"): item for item in request.get("BlockDeviceMappings") or ()}
    if None in given:
        raise MissingParameter("The request must contain the parameter DeviceName")
    root = given.pop(image["root_device"], {}).get("Ebs") or {}
    size = root.get("VolumeSize", image["size_gib"])
    if size < image["size_gib"]:
        raise InvalidParameterValue(
            f"Volume of size {size}GB is smaller than snapshot '{image['snapshot_id']}', "
            f"expect size >= {image['size_gib']}GB",
            code="InvalidBlockDeviceMapping",
        )
    plans = [_volume(image["root_device"], root, size, root=True)]
    for device, item in given.items():
        ebs = item.get("Ebs")
        if ebs is None or "NoDevice" in item:
            continue
        if "VolumeSize" not in ebs:
            raise MissingParameter("The request must contain the parameter size or snapshotId")
        plans.append(_volume(device, ebs, ebs["VolumeSize"], root=False))
    return plans


def _volume(device: str, ebs: Mapping[str, Any], size: int, *, root: bool) -> VolumePlan:
    if not 1 <= size <= _MOST_GIB:
        raise InvalidParameterValue(f"Volume of {size}GiB is invalid: the size must be between 1 and {_MOST_GIB} GiB.")
    kind = ebs.get("VolumeType", "gp3")
    iops = ebs.get("Iops") or {"gp3": 3000, "gp2": max(100, min(16000, 3 * size))}.get(kind)
    return VolumePlan(
        device=device,
        size_gib=size,
        root=root,
        type=kind,
        iops=iops,
        throughput=ebs.get("Throughput") or (125 if kind == "gp3" else None),
        encrypted=ebs.get("Encrypted", False),
        delete_on_termination=ebs.get("DeleteOnTermination", True),
    )


async def create(
    ctx: Context, instance: str, plans: Sequence[VolumePlan], zone: str, snapshot: str, tags: dict[str, str]
) -> None:
    """Write the rows of an instance's volumes; the root's is made of the image's snapshot."""
    ids = []
    for volume in plans:
        ids.append(resource_id("vol"))
        await ctx.db.execute(
            _CREATE,
            ids[-1],
            ctx.account_id,
            ctx.region,
            zone,
            volume.size_gib,
            volume.type,
            volume.iops,
            volume.throughput,
            snapshot if volume.root else "",
            volume.encrypted,
            volume.root,
            instance,
            volume.device,
            volume.delete_on_termination,
        )
    await tagging.create(ctx, VOLUME, ids, tags)
