"""Bringing images in: files become blobs, a row makes them an AMI. Used by `celaje image`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from controlplane.core.context import Unit
from controlplane.core.ids import resource_id
from controlplane.engines.blobs.contract import Blobs

CLOUD_ACCOUNT = "000000000001"
"""Owner of the images that come with the cloud; `amazon` in filters, as people's configurations say."""

_FIND = "SELECT id FROM ec2_images WHERE account_id = $1 AND name = $2 AND disk = $3 AND state = 'available'"
_REPLACE = """
UPDATE ec2_images SET state = 'deregistered' WHERE account_id = $1 AND name = $2 AND state = 'available'
"""


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """An image on disk. With `kernel` it is booted directly; without, by the disk's own loader."""

    name: str
    disk: Path
    size_gib: int
    description: str = ""
    kernel: Path | None = None
    initrd: Path | None = None
    command_line: str = ""
    firmware: str = "bios"
    root_device: str = "/dev/xvda"
    login: str = ""


async def register(
    db: Unit, blobs: Blobs, files: ImageFiles, *, account: str = CLOUD_ACCOUNT, public: bool = True
) -> str:
    """Store an image's files and register it in all regions. The same files again answer the same id; other files
    under the same name take its place."""
    disk = await blobs.put_file(files.disk)
    if found := await db.fetchval(_FIND, account, files.name, disk):
        return str(found)
    id = resource_id("ami")
    await db.execute(_REPLACE, account, files.name)
    await db.insert(
        "ec2_images",
        id=id,
        account_id=account,
        region=None,
        name=files.name,
        description=files.description,
        public=public,
        size_gib=files.size_gib,
        snapshot_id=resource_id("snap"),
        root_device=files.root_device,
        disk=disk,
        kernel=await blobs.put_file(files.kernel) if files.kernel else None,
        initrd=await blobs.put_file(files.initrd) if files.initrd else None,
        command_line=files.command_line,
        firmware=files.firmware,
        login=files.login,
    )
    return id
