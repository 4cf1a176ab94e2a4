"""Makes the replicas, with the role that the bucket's owner named."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from controlplane.access.assuming import assume
from controlplane.core.arn import bucket_of
from controlplane.core.context import Context, Unit
from controlplane.core.errors import AwsError, EngineMissing
from controlplane.services.s3 import buckets, encryption, events, objects, reading, storing, versions, writing
from controlplane.services.s3.archive import restores
from controlplane.services.s3.buckets import ENFORCED, Bucket
from controlplane.services.s3.errors import InvalidRequest
from controlplane.services.s3.locks import is_enabled
from controlplane.services.s3.queries import objects as stored
from controlplane.services.s3.receiving import Wanted, receive
from controlplane.services.s3.replication.rules import COMPLETED, FAILED, REPLICA, REPLICATE
from controlplane.work.reconciler import GONE, Outcome, Run, reconciler

log = logging.getLogger("celaje.s3")

_FIND = "SELECT * FROM s3_replications WHERE id = $1"
_BUCKET = "SELECT * FROM s3_buckets WHERE id = $1"
_DONE = "DELETE FROM s3_replications WHERE id = $1"
_OTHERS = "SELECT EXISTS (SELECT FROM s3_replications WHERE bucket_id = $1 AND key = $2 AND place = $3)"
_TELL = """
UPDATE {table} SET facts = jsonb_set(facts, '{{replication}}', to_jsonb($4::text))
WHERE bucket_id = $1 AND key = $2 AND place = $3 AND facts->>'replication' <> 'FAILED'
"""
_SESSION = "s3-replication"


@reconciler(REPLICATE)
async def replicate(run: Run, key: str) -> Outcome:
    """Copy one version to one bucket. What is refused is told at the version and not tried again."""
    async with run.step() as db:
        wanted = await db.fetchrow(_FIND, int(key))
        found = await db.fetchrow(_BUCKET, wanted["bucket_id"]) if wanted is not None else None
        row = None
        if found is not None:
            row = await stored.version(db, found["id"], wanted["key"], wanted["version"], wanted["place"])
    if wanted is None:
        return GONE
    status = COMPLETED
    if found is not None and row is not None:
        bucket = buckets.of_row(found)
        try:
            async with run.step() as db:
                await _copy(run, db, bucket, row, wanted)
        except AwsError as error:
            log.info("a version in %s is not replicated: %s", bucket.name, error.code)
            status = FAILED
            async with run.step() as db:
                acting = _acting(run, db, bucket)
                await events.note(acting, bucket, "Replication:OperationFailedReplication", row["key"], row)
    async with run.step() as db:
        await db.execute(_DONE, wanted["id"])
        named = wanted["bucket_id"], wanted["key"], wanted["place"]
        if status == FAILED or not await db.fetchval(_OTHERS, *named):
            for table in ("s3_objects", "s3_versions"):
                await db.execute(_TELL.format(table=table), *named, status)
    return GONE


def _acting(run: Run, db: Unit, bucket: Bucket) -> Context:
    return run.acting(db, events.SERVICE, bucket.arn, bucket.region, bucket.account_id)


async def _copy(run: Run, db: Unit, bucket: Bucket, row: Any, wanted: Any) -> None:
    """Raises AwsError where the role, a policy or the destination does not let it happen."""
    rule = wanted["rule"]
    ctx = await assume(_acting(run, db, bucket), wanted["role"], _SESSION)
    ctx = replace(ctx, service="s3", model="s3", operation="ReplicateObject")
    try:
        target = await buckets.find(ctx, bucket_of(rule["Destination"]["Bucket"]))
    except ValueError as error:
        raise InvalidRequest("Invalid destination bucket ARN") from error
    if target is None or target.versioning != storing.ENABLED or target.id == bucket.id:
        raise InvalidRequest("Destination bucket must exist and keep versions.")
    key = row["key"].decode()
    source = {"Bucket": bucket.name, "Key": key, "VersionId": versions.shown(row["version"])}
    there = {"Bucket": target.name, "Key": key}
    read = objects.stored_resource(ctx, source, bucket, row)
    written = objects.resource(ctx, there, target)
    await ctx.authorize("s3:GetReplicationConfiguration", buckets.resource(ctx, source, bucket))
    if row["marker"]:
        await ctx.authorize("s3:ReplicateDelete", written)
        await storing.put_replica(ctx, target, _columns(bucket, target, row, rule))
        return
    await ctx.authorize("s3:GetObjectVersionForReplication", read)
    await ctx.authorize("s3:ReplicateObject", written)
    columns = _columns(bucket, target, row, rule)
    if row["tags"]:
        await ctx.authorize("s3:GetObjectVersionTagging", read)
        await ctx.authorize("s3:ReplicateTags", written)
    if columns["owner"] != row["owner"] or (rule["Destination"].get("AccessControlTranslation")):
        await ctx.authorize("s3:ObjectOwnerOverrideToBucketOwner", written)
    await storing.put_replica(ctx, target, await _with_body(ctx, target, row, columns, rule, there))


def _columns(bucket: Bucket, target: Bucket, row: Any, rule: Mapping[str, Any]) -> dict[str, Any]:
    """The version as it will be there: with its own id, time and owner."""
    owner = row["owner"] or bucket.account_id
    translated = (rule["Destination"].get("AccessControlTranslation") or {}).get("Owner") == "Destination"
    if translated or target.ownership == ENFORCED:
        owner = target.account_id
    facts = {name: value for name, value in row["facts"].items() if name not in ("packed", "replication")}
    found = dict(row) | {
        "bucket_id": target.id,
        "account_id": target.account_id,
        "owner": owner if owner != target.account_id else None,
        "storage_class": rule["Destination"].get("StorageClass") or row["storage_class"],
        "facts": {**facts, "replication": REPLICA},
        "acl": None if owner == target.account_id else row["acl"],
        "blob": None,
        "content": None,
        "upload_id": None,
        "parts": None,
    }
    if found["storage_class"] == objects.STANDARD:
        found["storage_class"] = None
    return found if is_enabled(target) else found | {"lock_mode": None, "lock_until": None, "legal_hold": False}


async def _with_body(
    ctx: Context, target: Bucket, row: Any, columns: dict[str, Any], rule: Mapping[str, Any], there: Mapping[str, Any]
) -> dict[str, Any]:
    """The columns with the bytes, sealed under what the destination asks for."""
    source = await restores.readable(ctx, row)
    opened = await encryption.for_reading(ctx, row["facts"]["sse"], {})
    replica_key = (rule["Destination"].get("EncryptionConfiguration") or {}).get("ReplicaKmsKeyID")
    asked = {"ServerSideEncryption": encryption.KMS, "SSEKMSKeyId": replica_key} if replica_key else {}
    master = await encryption.for_writing(ctx, target, asked, objects.arn(target, there))
    try:
        body = await reading.bytes_of(ctx, source, opened, 0, row["size"])
        received = await receive(ctx, body, Wanted(row["size"]), master.key, columns["storage_class"] or "")
    except EngineMissing as error:
        raise InvalidRequest("The version has gone") from error
    facts = {**columns["facts"], "sse": master.facts, "salt": writing.text_of(received.salt)}
    return {**columns, "facts": facts, "content": received.content, "blob": received.blob}
