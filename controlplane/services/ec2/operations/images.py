"""AMIs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, Resource, operation
from controlplane.services.ec2 import describing, image_store, tagging
from controlplane.services.ec2.describing import column
from controlplane.services.ec2.errors import InvalidParameterValue
from controlplane.services.ec2.nouns import IMAGE

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import DeregisterImageRequestTypeDef, DescribeImagesRequestTypeDef

_VISIBLE = f"""
SELECT i.*, {tagging.column("i")} FROM ec2_images i
WHERE (i.region IS NULL OR i.region = $2) AND i.state = 'available'
AND (i.public OR i.account_id = $1 OR $1 = ANY(i.launch_permissions)) ORDER BY i.created_at, i.id
"""
_DEREGISTER = """
UPDATE ec2_images SET state = 'deregistered'
WHERE id = $1 AND account_id = $2 AND state = 'available' RETURNING id
"""
FILTERS: dict[str, describing.Extract] = {
    "image-id": column("id"),
    "name": column("name"),
    "description": column("description"),
    "architecture": column("architecture"),
    "state": column("state"),
    "owner-id": column("account_id"),
    "owner-alias": lambda row: _alias(row),
    "is-public": column("public"),
    "root-device-name": column("root_device"),
    "root-device-type": lambda _: "ebs",
    "image-type": lambda _: "machine",
    "virtualization-type": lambda _: "hvm",
    "hypervisor": lambda _: "xen",
    "creation-date": column("created_at"),
    "block-device-mapping.snapshot-id": column("snapshot_id"),
    "block-device-mapping.volume-size": column("size_gib"),
}


@operation("DescribeImages", on=ANY)
async def describe_images(ctx: Context, request: DescribeImagesRequestTypeDef) -> dict[str, Any]:
    """Images that the caller may launch: public ones, its own, and those shared with it."""
    rows = await ctx.db.fetch(_VISIBLE, ctx.account_id, ctx.region)
    if wanted := request.get("ImageIds"):
        IMAGE.check(wanted)
        if lacking := set(wanted) - {row["id"] for row in rows}:
            raise InvalidParameterValue(
                f"The image id '[{', '.join(sorted(lacking))}]' does not exist", code="InvalidAMIID.NotFound"
            )
        rows = [row for row in rows if row["id"] in wanted]
    if owners := request.get("Owners"):
        rows = [row for row in rows if _owned_by(row, owners, ctx.account_id)]
    if users := request.get("ExecutableUsers"):
        rows = [row for row in rows if _executable_by(row, users, ctx.account_id)]
    found, token = describing.page(describing.matching(rows, request, FILTERS), request, ids="ImageIds")
    return {"Images": [_shape(row) for row in found], "NextToken": token}


def _alias(row: Any) -> str | None:
    return "amazon" if row["account_id"] == image_store.CLOUD_ACCOUNT else None


def _owned_by(row: Any, owners: Any, account: str) -> bool:
    names = {row["account_id"], _alias(row), "self" if row["account_id"] == account else None}
    return bool(names & set(owners))


def _executable_by(row: Any, users: Any, account: str) -> bool:
    if row["public"] and "all" in users:
        return True
    return bool({account if user == "self" else user for user in users} & set(row["launch_permissions"]))


def _shape(row: Any) -> dict[str, Any]:
    return {
        "ImageId": row["id"],
        "ImageLocation": f"{_alias(row) or row['account_id']}/{row['name']}",
        "ImageType": "machine",
        "Public": row["public"],
        "OwnerId": row["account_id"],
        "ImageOwnerAlias": _alias(row),
        "Name": row["name"],
        "Description": row["description"],
        "State": row["state"],
        "Architecture": row["architecture"],
        "CreationDate": row["created_at"].strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "RootDeviceType": "ebs",
        "RootDeviceName": row["root_device"],
        "VirtualizationType": "hvm",
        "Hypervisor": "xen",
        "EnaSupport": True,
        "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances",
        "BootMode": "uefi" if row["firmware"] == "uefi" else "legacy-bios",
        "BlockDeviceMappings": [
            {
                "DeviceName": row["root_device"],
                "Ebs": {
                    "SnapshotId": row["snapshot_id"],
                    "VolumeSize": row["size_gib"],
                    "VolumeType": "gp3",
                    "DeleteOnTermination": True,
                    "Encrypted": False,
                },
            }
        ],
        "Tags": tagging.shape(row["tags"]),
    }


async def on_image(ctx: Context, request: Any) -> list[Resource]:
    """The image that a request names; images have no account in their ARN."""
    tags = await tagging.of(ctx, [request["ImageId"]])
    return [Resource(f"arn:aws:ec2:{ctx.region}::image/{request['ImageId']}", tags=tags.get(request["ImageId"], {}))]


@operation("DeregisterImage", on=on_image)
async def deregister_image(ctx: Context, request: DeregisterImageRequestTypeDef) -> dict[str, Any]:
    """Take an image away; instances that run from it keep running. Raises InvalidAMIID.NotFound."""
    id = request["ImageId"]
    IMAGE.check([id])
    if not await ctx.db.fetchval(_DEREGISTER, id, ctx.account_id):
        raise InvalidParameterValue(f"The image id '[{id}]' does not exist", code="InvalidAMIID.NotFound")
    await tagging.forget(ctx.db, [id])
    return {"Return": True}
