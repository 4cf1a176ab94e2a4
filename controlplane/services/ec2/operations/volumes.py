"""Volumes, as far as they come and go with their instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.ec2 import describing, tagging
from controlplane.services.ec2.describing import column
from controlplane.services.ec2.nouns import VOLUME
from controlplane.services.ec2.queries import networks

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import DescribeVolumesRequestTypeDef

FILTERS: dict[str, describing.Extract] = {
    "volume-id": column("id"),
    "attachment.instance-id": column("instance_id"),
    "attachment.device": column("device"),
    "attachment.delete-on-termination": column("delete_on_termination"),
    "attachment.status": lambda row: "attached" if row["instance_id"] else None,
    "availability-zone": column("zone"),
    "create-time": column("created_at"),
    "encrypted": column("encrypted"),
    "size": column("size_gib"),
    "snapshot-id": column("snapshot_id"),
    "status": lambda row: _state(row),
    "volume-type": column("type"),
}


@operation("DescribeVolumes", on=ANY)
async def describe_volumes(ctx: Context, request: DescribeVolumesRequestTypeDef) -> dict[str, Any]:
    """Volumes and what they are attached to. Raises InvalidVolume.NotFound."""
    wanted = request.get("VolumeIds")
    rows = await networks.listing(ctx, VOLUME.table, wanted)
    describing.require(VOLUME, wanted, rows)
    found, token = describing.page(describing.matching(rows, request, FILTERS), request, ids="VolumeIds")
    return {"Volumes": [_shape(row) for row in found], "NextToken": token}


def _state(row: Any) -> str:
    return "in-use" if row["instance_id"] else "available"


def _shape(row: Any) -> dict[str, Any]:
    attachments = []
    if row["instance_id"]:
        attachments.append(
            {
                "VolumeId": row["id"],
                "InstanceId": row["instance_id"],
                "Device": row["device"],
                "State": "attached",
                "AttachTime": row["attached_at"],
                "DeleteOnTermination": row["delete_on_termination"],
            }
        )
    return {
        "VolumeId": row["id"],
        "Size": row["size_gib"],
        "SnapshotId": row["snapshot_id"],
        "AvailabilityZone": row["zone"],
        "State": _state(row),
        "CreateTime": row["created_at"],
        "VolumeType": row["type"],
        "Iops": row["iops"],
        "Throughput": row["throughput"],
        "Encrypted": row["encrypted"],
        "MultiAttachEnabled": False,
        "Attachments": attachments,
        "Tags": tagging.shape(row["tags"]),
    }
