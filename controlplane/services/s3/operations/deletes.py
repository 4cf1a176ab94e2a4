"""Deleting objects and versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import Request, Resource, operation
from controlplane.services.s3 import buckets, events, locks, objects, storing, versions
from controlplane.services.s3.buckets import Bucket, the_bucket
from controlplane.services.s3.conditions import matches
from controlplane.services.s3.errors import (
    InvalidVersionId,
    MalformedXML,
    NoSuchBucket,
    NoSuchVersion,
    PreconditionFailed,
)
from controlplane.services.s3.objects import on_object
from controlplane.services.s3.queries import objects as queries

_MOST, _PORTION = 1000, 100
"""So many keys may be named; so many are deleted in one transaction where each is locked."""
_EMPTY = "d41d8cd98f00b204e9800998ecf8427e"
"""The digest of nothing, which events tell of a delete marker."""
_DELETE, _DELETE_VERSION = "s3:DeleteObject", "s3:DeleteObjectVersion"


@operation("DeleteObject", on=on_object(of_version=_DELETE_VERSION))
async def delete_object(ctx: Context, request: Request) -> dict[str, Any]:
    """Delete an object, or put a delete marker before its versions, or remove one version for good."""
    bucket = the_bucket(ctx)
    return _told(await _delete(ctx, bucket, request, ctx.resources[0]))


def _told(outcome: Mapping[str, Any]) -> dict[str, Any]:
    told = {}
    if outcome.get("marker"):
        told["DeleteMarker"] = True
    if outcome.get("version") is not None:
        told["VersionId"] = outcome["version"]
    return told


async def _delete(ctx: Context, bucket: Bucket, request: Mapping[str, Any], resource: Resource) -> dict[str, Any]:
    """`version` that was removed or made, and whether it is a delete `marker`."""
    key, version = objects.key_of(request), request.get("VersionId")
    conditional = any(request.get(name) is not None for name in ("IfMatch", "IfMatchLastModifiedTime", "IfMatchSize"))
    if version is None:
        if conditional:
            await storing.lock(ctx.db, bucket.id, key)
            _check(request, await queries.current(ctx.db, bucket.id, key))
        made = await storing.delete_current(ctx, bucket, key)
        name = "ObjectRemoved:Delete" if made is None else "ObjectRemoved:DeleteMarkerCreated"
        facts = {"version": None if made == versions.NULL else made} | ({"etag": _EMPTY} if made else {})
        await events.note(ctx, bucket, name, key, facts)
        return {"version": made, "marker": made is not None}
    await storing.lock(ctx.db, bucket.id, key)
    row = await queries.version(ctx.db, bucket.id, key, *versions.read(version))
    if conditional:
        _check(request, row)
    if row is None and not versions.is_id(version):
        raise InvalidVersionId(ArgumentName="versionId", ArgumentValue=version)
    if row is None:
        return {"version": version}
    await locks.check_removal(ctx, row, request, resource)
    await storing.delete_version(ctx, bucket, row)
    await events.note(ctx, bucket, "ObjectRemoved:Delete", key, {"version": row["version"], "place": row["place"]})
    return {"version": version, "marker": row["marker"]}


def _check(request: Mapping[str, Any], row: Any) -> None:
    """Raises PreconditionFailed where the version is not what the request expects."""
    if row is None:
        return
    match, size = request.get("IfMatch"), request.get("IfMatchSize")
    moment = request.get("IfMatchLastModifiedTime")
    if match is not None and not matches(match, row["etag"]):
        raise PreconditionFailed(Condition="If-Match")
    if size is not None and size != row["size"]:
        raise PreconditionFailed(Condition="x-amz-if-match-size")
    if moment is not None and moment.replace(microsecond=0) != row["modified_at"].replace(microsecond=0):
        raise PreconditionFailed(Condition="x-amz-if-match-last-modified-time")


async def _whole_bucket(ctx: Context, request: Any) -> list[Resource]:
    """Each key is asked about by itself, and denied by itself; but who may delete nothing here learns it at once."""
    bucket = await buckets.named(ctx, request)
    named = (request.get("Delete") or {}).get("Objects") or ()
    if ctx.principal.kind == "anonymous" or not named or bucket is not None:
        return []
    return [objects.resource(ctx, {**request, "Key": named[0]["Key"]}, bucket)]


@operation("DeleteObjects", on=_whole_bucket, action=_DELETE)
async def delete_objects(ctx: Context, request: Request) -> dict[str, Any]:
    """Delete up to 1,000 keys or versions; each may fail by itself. Raises MalformedXML."""
    bucket = await buckets.find_asked(ctx, request["Bucket"])
    if bucket is None:
        raise NoSuchBucket(BucketName=request["Bucket"])
    named = request["Delete"].get("Objects") or []
    if not named or len(named) > _MOST:
        raise MalformedXML
    # In the order of their keys, so that two such requests do not wait for each other in a circle.
    in_order = sorted(range(len(named)), key=lambda number: str(named[number]["Key"]))
    outcomes: dict[int, dict[str, Any]] = {}
    size = _MOST if bucket.versioning is None and not events.wanted(bucket) else _PORTION
    for start in range(0, len(named), size):
        portion = {number: named[number] for number in in_order[start : start + size]}
        async with ctx.engine("database").unit() as db:
            outcomes |= await _delete_portion(replace(ctx, db=db), bucket, request, portion)
    told = [outcomes[number] for number in range(len(named))]
    errors = [outcome for outcome in told if "Code" in outcome]
    answer: dict[str, Any] = {"Errors": errors} if errors else {}
    if request["Delete"].get("Quiet"):
        return answer
    return {**answer, "Deleted": [outcome for outcome in told if "Code" not in outcome]}


async def _delete_portion(
    ctx: Context, bucket: Bucket, request: Mapping[str, Any], items: Mapping[int, Mapping[str, Any]]
) -> dict[int, dict[str, Any]]:
    """What is told of some of the items, by their numbers. They are one transaction, whose locks are bounded."""
    outcomes: dict[int, dict[str, Any]] = {}
    plain = []
    for number, item in items.items():
        try:
            one, resource = await _allowed(ctx, bucket, request, item)
            if _is_plain(bucket, item):
                plain.append(objects.key_of(one))
                outcomes[number] = {"Key": item["Key"]}
            else:
                outcomes[number] = _deleted(item, await _delete(ctx, bucket, one, resource))
        except AwsError as error:
            told = NoSuchVersion() if isinstance(error, InvalidVersionId) else error
            failed = {"Key": item["Key"], "Code": told.code, "Message": told.message}
            outcomes[number] = {**failed, "VersionId": item["VersionId"]} if item.get("VersionId") else failed
    if plain:
        await storing.delete_many(ctx, bucket, plain)
    return outcomes


def _is_plain(bucket: Bucket, item: Mapping[str, Any]) -> bool:
    conditional = any(item.get(name) is not None for name in ("ETag", "LastModifiedTime", "Size"))
    return not (bucket.versioning is not None or item.get("VersionId") or conditional or events.wanted(bucket))


async def _allowed(
    ctx: Context, bucket: Bucket, request: Mapping[str, Any], item: Mapping[str, Any]
) -> tuple[dict[str, Any], Resource]:
    one = {
        "Bucket": bucket.name,
        "Key": item["Key"],
        "VersionId": item.get("VersionId"),
        "BypassGovernanceRetention": request.get("BypassGovernanceRetention"),
        "IfMatch": item.get("ETag"),
        "IfMatchLastModifiedTime": item.get("LastModifiedTime"),
        "IfMatchSize": item.get("Size"),
    }
    resource = objects.resource(ctx, one, bucket)
    for asked in buckets.through(ctx, bucket, resource):
        await ctx.authorize(_DELETE_VERSION if item.get("VersionId") else _DELETE, asked)
    return one, resource


def _deleted(item: Mapping[str, Any], outcome: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"Key": item["Key"]}
    if item.get("VersionId"):
        told["VersionId"] = item["VersionId"]
    if outcome.get("marker"):
        told |= {"DeleteMarker": True, "DeleteMarkerVersionId": outcome["version"]}
    return told
