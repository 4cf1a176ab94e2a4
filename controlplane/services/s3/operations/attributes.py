"""GetObjectAttributes."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Request, operation
from controlplane.services.s3 import checksums, compatibility, encryption, listing, objects, versions
from controlplane.services.s3.errors import InvalidArgument
from controlplane.services.s3.objects import on_stored, the_object
from controlplane.services.s3.queries import objects as queries

_KNOWN = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")


@operation(
    "GetObjectAttributes",
    on=on_stored("s3:GetObject", "s3:GetObjectVersion"),
    action="s3:GetObject",
)
async def get_object_attributes(ctx: Context, request: Request) -> dict[str, Any]:
    """Chosen properties of an object. Raises NoSuchKey, InvalidArgument."""
    bucket, row = await the_object(ctx)
    encryption.check_same_key(row["facts"]["sse"], request)
    asked = request.get("ObjectAttributes") or []
    if not asked or any(name not in _KNOWN for name in asked):
        raise InvalidArgument("Invalid attribute name specified.", ArgumentName="x-amz-object-attributes")
    told: dict[str, Any] = {"LastModified": row["modified_at"]}
    if bucket.versioning is not None or row["version"] is not None:
        told["VersionId"] = versions.shown(row["version"])
    if "ETag" in asked:
        told["ETag"] = row["etag"]
    if "Checksum" in asked and row["facts"].get("sums"):
        told["Checksum"] = checksums.shown(row["facts"])
        if not compatibility.ceph(ctx.cloud):
            # The number of parts, which other answers have behind a composite checksum, is left out here.
            told["Checksum"] = {name: value.partition("-")[0] for name, value in told["Checksum"].items()}
    if "ObjectParts" in asked and row["parts"]:
        told["ObjectParts"] = await _parts(ctx, row, request)
    if "StorageClass" in asked:
        told["StorageClass"] = row["storage_class"] or objects.STANDARD
    if "ObjectSize" in asked:
        told["ObjectSize"] = row["size"]
    return told


async def _parts(ctx: Context, row: Any, request: Request) -> dict[str, Any]:
    """The parts; AWS lists them one by one only where each has a checksum that was asked for."""
    after, most = request.get("PartNumberMarker") or 0, listing.most_of(request.get("MaxParts"), "max-parts")
    told: dict[str, Any] = {"TotalPartsCount": row["parts"]}
    if row["facts"].get("sum_type") != checksums.COMPOSITE and not compatibility.ceph(ctx.cloud):
        return told
    numbered = list(enumerate(await queries.parts(ctx.db, row["upload_id"]), 1))
    shown = [(number, part) for number, part in numbered if number > after]
    told |= {
        "PartNumberMarker": after,
        "MaxParts": most,
        "IsTruncated": len(shown) > most,
        "NextPartNumberMarker": shown[:most][-1][0] if shown[:most] else 0,
        "Parts": [
            {
                "PartNumber": number,
                "Size": part["size"],
                **{checksums.NAMES[name]: value for name, value in (part["facts"].get("sums") or {}).items()},
            }
            for number, part in shown[:most]
        ],
    }
    return told
