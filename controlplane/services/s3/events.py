"""Events of objects: kept in the transaction that makes them, delivered behind it by a reconciler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

import orjson

from controlplane.access import directory
from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.services.s3 import versions
from controlplane.services.s3.buckets import Bucket
from controlplane.services.s3.errors import InvalidArgument

SERVICE = "s3.amazonaws.com"
_MEMBERS = {
    "QueueConfigurations": ("sqs", "QueueArn"),
    "TopicConfigurations": ("sns", "TopicArn"),
    "LambdaFunctionConfigurations": ("lambda", "LambdaFunctionArn"),
}
_INSERT = """
INSERT INTO s3_events (account_id, region, bucket, service, target, document) VALUES ($1, $2, $3, $4, $5, $6)
RETURNING id
"""


def wanted(bucket: Bucket) -> bool:
    """Whether anybody is told of what happens in a bucket: then its writes are one transaction with their events."""
    return "notification" in bucket.settings


def _targets(bucket: Bucket, event: str, key: str) -> Iterator[tuple[str, str, str]]:
    """Service, ARN and id of each configuration that an event is for."""
    for kind, (service, member) in _MEMBERS.items():
        for item in bucket.settings["notification"].get(kind) or ():
            if any(_covers(pattern, event) for pattern in item["Events"]) and _fits(item, key):
                yield service, item[member], item["Id"]


def _covers(pattern: str, event: str) -> bool:
    return pattern == event or (pattern.endswith("*") and event.startswith(pattern[:-1]))


def _fits(item: Mapping[str, Any], key: str) -> bool:
    for rule in ((item.get("Filter") or {}).get("Key") or {}).get("FilterRules") or ():
        matches = key.startswith if rule["Name"] == "Prefix" else key.endswith
        if not matches(rule["Value"]):
            return False
    return True


async def note(ctx: Context, bucket: Bucket, event: str, key: bytes, facts: Mapping[str, Any]) -> None:
    """Have those told who want to know. `facts` are columns of the version: `size`, `etag`, `version`, `place`."""
    if not wanted(bucket):
        return
    text = key.decode()
    for service, target, id in _targets(bucket, f"s3:{event}", text):
        document = _record(ctx, bucket, event, text, id, facts)
        number = await ctx.db.fetchval(
            _INSERT, bucket.account_id, bucket.region, bucket.name, service, target, {"Records": [document]}
        )
        await ctx.wake("s3.event", str(number))


def _record(ctx: Context, bucket: Bucket, event: str, key: str, id: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    now = datetime.now(UTC)
    told: dict[str, Any] = {"key": quote_plus(key, safe="/"), "sequencer": f"{2**63 + (facts.get('place') or 0):016X}"}
    if facts.get("etag"):
        told |= {"size": facts["size"], "eTag": facts["etag"]}
    if bucket.versioning is not None:
        told["versionId"] = versions.shown(facts.get("version"))
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region,
        "eventTime": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
        "eventName": event,
        "userIdentity": {"principalId": f"AWS:{ctx.principal.user_id}"},
        "requestParameters": {"sourceIPAddress": ctx.source_ip},
        "responseElements": {"x-amz-request-id": ctx.request_id, "x-amz-id-2": ctx.request_id},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": id,
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": directory.canonical_user(bucket.account_id)},
                "arn": bucket.arn,
            },
            "object": told,
        },
    }


async def deliver(ctx: Context, service: str, target: str, document: Mapping[str, Any], subject: str) -> None:
    """Tell one target, as S3 itself. Raises AwsError."""
    text = orjson.dumps(document).decode()
    if service == "sqs":
        parts = target.split(":")
        url = f"http://queue/{parts[4]}/{parts[5]}"
        await ctx.call("sqs", "SendMessage", {"QueueUrl": url, "MessageBody": text})
    elif service == "sns":
        await ctx.call("sns", "Publish", {"TopicArn": target, "Message": text, "Subject": subject})
    else:
        await ctx.call(
            "lambda", "Invoke", {"FunctionName": target, "InvocationType": "Event", "Payload": text.encode()}
        )


async def try_targets(ctx: Context, bucket: Bucket, configuration: Mapping[str, Any]) -> None:
    """Send a test event to every target, as AWS does before it keeps a configuration. Raises InvalidArgument."""
    document = {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "Bucket": bucket.name,
        "RequestId": ctx.request_id,
        "HostId": ctx.request_id,
    }
    acting = ctx.as_service(SERVICE, bucket.arn, bucket.account_id)
    for kind, (service, member) in _MEMBERS.items():
        for item in configuration.get(kind) or ():
            try:
                await deliver(acting, service, item[member], document, "Amazon S3 Notification")
            except AwsError as error:
                raise InvalidArgument(
                    "Unable to validate the following destination configurations",
                    ArgumentName=item[member], ArgumentValue=error.message[:500] or error.code,
                ) from error  # fmt: skip
