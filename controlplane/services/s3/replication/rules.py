"""Which rules a new version comes under, and the note of it that is kept with the version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.services.s3 import encryption
from controlplane.services.s3.buckets import Bucket

REPLICATE = "s3.replication"
PENDING, COMPLETED, FAILED, REPLICA = "PENDING", "COMPLETED", "FAILED", "REPLICA"
_QUEUE = """
INSERT INTO s3_replications (account_id, bucket_id, key, place, version, role, rule) VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING id
"""
_ITSELF = "s3.amazonaws.com"


def covering(bucket: Bucket, key: bytes, tags: Mapping[str, str] | None, *, marker: bool) -> list[dict[str, Any]]:
    """The rules for a version, one a destination: that of the highest priority."""
    found: dict[str, dict[str, Any]] = {}
    rules = (bucket.settings.get("replication") or {}).get("Rules") or ()
    for rule in sorted(rules, key=lambda rule: -(rule.get("Priority") or 0)):
        if rule["Status"] == "Enabled" and _fits(rule, key, tags or {}) and (not marker or _with_markers(rule)):
            found.setdefault(rule["Destination"]["Bucket"], rule)
    return list(found.values())


def _fits(rule: Mapping[str, Any], key: bytes, tags: Mapping[str, str]) -> bool:
    filters = rule.get("Filter") or {}
    both = filters.get("And") or filters
    prefix = rule.get("Prefix") or both.get("Prefix") or ""
    asked = [*(both.get("Tags") or ()), *([both["Tag"]] if both.get("Tag") else [])]
    return key.startswith(prefix.encode()) and all(tags.get(tag["Key"]) == tag.get("Value") for tag in asked)


def _with_markers(rule: Mapping[str, Any]) -> bool:
    """Rules of the first kind, with a prefix of their own, take delete markers along."""
    if rule.get("Filter") is None:
        return True
    return (rule.get("DeleteMarkerReplication") or {}).get("Status") == "Enabled"


def _replicable(facts: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
    """The customer's keys are not at hand later; keys of KMS only where the rule says so."""
    kind = facts["sse"]["kind"]
    chosen = ((rule.get("SourceSelectionCriteria") or {}).get("SseKmsEncryptedObjects") or {}).get("Status")
    return kind == encryption.S3 or (kind != encryption.CUSTOMER and chosen == "Enabled")


async def note(ctx: Context, bucket: Bucket, columns: dict[str, Any]) -> None:
    """Have a new version copied to where the bucket's rules say; its columns tell that it is pending."""
    if "replication" not in bucket.settings or columns["version"] is None:
        return
    marker = bool(columns["marker"])
    if marker and ctx.principal.kind == "service" and ctx.principal.name == _ITSELF:
        return  # what a lifecycle deletes is deleted here only
    rules = covering(bucket, columns["key"], columns["tags"], marker=marker)
    if not marker:
        rules = [rule for rule in rules if _replicable(columns["facts"], rule)]
    if not rules:
        return
    columns["facts"] = {**columns["facts"], "replication": PENDING}
    role = bucket.settings["replication"]["Role"]
    for rule in rules:
        named = bucket.id, columns["key"], columns["place"], columns["version"]
        id = await ctx.db.fetchval(_QUEUE, bucket.account_id, *named, role, rule)
        await ctx.wake(REPLICATE, str(id))
