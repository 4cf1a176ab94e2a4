"""Lists of objects and of versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Request, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.s3 import checksums, grants, listing, objects, owners, versions
from controlplane.services.s3.buckets import Bucket, on_bucket, on_bucket_for, the_bucket
from controlplane.services.s3.errors import InvalidArgument

_CURRENT = -(2**63)


@operation("ListObjectsV2", on=on_bucket, action="s3:ListBucket")
async def list_objects_v2(ctx: Context, request: Request) -> dict[str, Any]:
    """A page of a bucket's keys."""
    bucket, show = the_bucket(ctx), listing.shower(request.get("EncodingType"))
    most = listing.most_of(request.get("MaxKeys"))
    token, after = request.get("ContinuationToken"), request.get("StartAfter") or ""
    position = _position(token) if token is not None else after.encode()
    page = await _page(ctx, bucket, request, position, most, whole=False)
    with_owner = bool(request.get("FetchOwner"))
    contents = [_shown(bucket, row, show, with_owner=with_owner) for row in page.rows]
    answer = _frame(bucket, request, page, most, show)
    answer |= {"KeyCount": len(page), "Contents": contents}
    if token is not None:
        answer["ContinuationToken"] = token
    elif after:
        answer["StartAfter"] = show(after)
    if page.truncated:
        answer["NextContinuationToken"] = encode_token(page.last.hex())
    return await owners.named(ctx, answer)


@operation("ListObjects", on=on_bucket, action="s3:ListBucket")
async def list_objects(ctx: Context, request: Request) -> dict[str, Any]:
    """A page of a bucket's keys, as the first version of the API tells it."""
    bucket, show = the_bucket(ctx), listing.shower(request.get("EncodingType"))
    most = listing.most_of(request.get("MaxKeys"))
    marker = request.get("Marker") or ""
    page = await _page(ctx, bucket, request, marker.encode(), most, whole=True)
    contents = [_shown(bucket, row, show, with_owner=True) for row in page.rows]
    answer = {**_frame(bucket, request, page, most, show), "Marker": show(marker), "Contents": contents}
    if page.truncated and request.get("Delimiter"):
        answer["NextMarker"] = show(page.last)
    return await owners.named(ctx, answer)


async def _page(
    ctx: Context, bucket: Bucket, request: Mapping[str, Any], after: bytes, most: int, *, whole: bool
) -> listing.Page:
    ctx.answer_headers["x-amz-bucket-region"] = bucket.region
    prefix, delimiter = (request.get("Prefix") or "").encode(), request.get("Delimiter")
    return await listing.keys(ctx, bucket, prefix, delimiter.encode() if delimiter else None, after, most, whole=whole)


def _frame(
    bucket: Bucket, request: Mapping[str, Any], page: listing.Page, most: int, show: Callable[[bytes | str], str]
) -> dict[str, Any]:
    """What all lists tell beside their entries."""
    answer: dict[str, Any] = {
        "Name": bucket.name,
        "Prefix": show(request.get("Prefix") or ""),
        "MaxKeys": most,
        "IsTruncated": page.truncated,
    }
    if request.get("Delimiter"):
        answer["Delimiter"] = show(request["Delimiter"])
    if request.get("EncodingType"):
        answer["EncodingType"] = request["EncodingType"]
    if page.prefixes:
        answer["CommonPrefixes"] = [{"Prefix": show(prefix)} for prefix in page.prefixes]
    return answer


def _position(token: str) -> bytes:
    try:
        return bytes.fromhex(decode_token(token))
    except (ValueError, TypeError) as error:
        named = {"ArgumentName": "continuation-token"} | ({"ArgumentValue": token} if token else {})
        raise InvalidArgument("The continuation token provided is incorrect", **named) from error


def _shown(bucket: Bucket, row: Any, show: Callable[[bytes | str], str], *, with_owner: bool) -> dict[str, Any]:
    told = {
        "Key": show(row["key"]),
        "LastModified": row["modified_at"],
        "ETag": objects.quoted(row["etag"]),
        "Size": row["size"],
        "StorageClass": row["storage_class"] or objects.STANDARD,
        **checksums.listed(row["facts"]),
    }
    if with_owner:
        told["Owner"] = grants.owner(row["owner"] or bucket.account_id)
    return told


@operation("ListObjectVersions", on=on_bucket_for("s3:ListBucketVersions"), action="s3:ListBucketVersions")
async def list_object_versions(ctx: Context, request: Request) -> dict[str, Any]:
    """A page of a bucket's versions and delete markers, the newest of each key first."""
    bucket, show = the_bucket(ctx), listing.shower(request.get("EncodingType"))
    most = listing.most_of(request.get("MaxKeys"))
    prefix, delimiter = (request.get("Prefix") or "").encode(), request.get("Delimiter")
    marker, version = request.get("KeyMarker") or "", request.get("VersionIdMarker")
    place = await _place(ctx, bucket, marker, version)
    delimiting = delimiter.encode() if delimiter else None
    page = await listing.versions(ctx, bucket, prefix, delimiting, marker.encode(), place, most)
    answer = {**_frame(bucket, request, page, most, show), "KeyMarker": show(marker)}
    answer["VersionIdMarker"] = version or ""
    answer |= _split(bucket, page, show, marker.encode() if place is not None else b"")
    if page.truncated:
        answer["NextKeyMarker"] = show(page.last)
        if page.last_row is not None:
            answer["NextVersionIdMarker"] = versions.shown(page.last_row["version"])
    return await owners.named(ctx, answer)


async def _place(ctx: Context, bucket: Bucket, marker: str, version: str | None) -> listing.Place | None:
    """Behind which version of the marker's key the page begins, also if it is no more; None: behind the key."""
    if version is None:
        return None
    if not version:
        raise InvalidArgument(
            "A version-id marker cannot be empty.", ArgumentName="version-id-marker", ArgumentValue=""
        )
    if not marker:
        raise InvalidArgument(
            "A version-id marker cannot be specified without a key marker.",
            ArgumentName="version-id-marker", ArgumentValue=version,
        )  # fmt: skip
    row = await objects.find(ctx, bucket, {"Key": marker, "VersionId": version})
    if row is None and not versions.is_id(version):
        return None
    place = int(row["place"]) if row is not None else versions.read(version)[1]
    current = await objects.find(ctx, bucket, {"Key": marker})
    if current is None or current["place"] < place:
        return True, place
    return current["place"] == place, _CURRENT


def _split(bucket: Bucket, page: listing.Page, show: Callable[[bytes | str], str], begun: bytes) -> dict[str, Any]:
    """Versions and delete markers apart. A marker is the latest where no current object stands before it; `begun` is a
    key whose first versions were on the page before."""
    found: dict[str, list[dict[str, Any]]] = {"Versions": [], "DeleteMarkers": []}
    before = begun
    for row in page.rows:
        latest = row["latest"] or row["key"] != before
        before = row["key"]
        told: dict[str, Any] = {
            "Key": show(row["key"]),
            "VersionId": versions.shown(row["version"]),
            "IsLatest": latest,
            "LastModified": row["modified_at"],
            "Owner": grants.owner(row["owner"] or bucket.account_id),
        }
        if row["marker"]:
            found["DeleteMarkers"].append(told)
            continue
        told |= {
            "ETag": objects.quoted(row["etag"]),
            "Size": row["size"],
            "StorageClass": row["storage_class"] or objects.STANDARD,
            **checksums.listed(row["facts"]),
        }
        found["Versions"].append(told)
    return {name: items for name, items in found.items() if items}
