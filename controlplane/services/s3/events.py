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
from controlplane.services.s3.buckets import Bucket
from controlplane.services.s3.errors import InvalidArgument

SERVICE = "s3.amazonaws.com"
_MEMBERS = {
    "QueueConfigurations": ("sqs", "QueueArn"),
    "TopicConfigurations": ("sns", "TopicArn"),
    "LambdaFunctionConfigurations": ("lambda", "LambdaFunctionArn"),
}
_OF_SETTINGS = ("ObjectTagging:", "ObjectAcl:")
"""Events that came later and tell less: what they are of is written already."""
_CAUSE = "cause"
"""Beside `Records` in `s3_events.document`, and not told: the request's trace and the address that it came to."""
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


async def note(
    ctx: Context, bucket: Bucket, event: str, key: bytes, facts: Mapping[str, Any], **more: Mapping[str, Any]
) -> None:
    """Have those told who want to know. `facts` are columns of the version: `size`, `etag`, `version`, `place`;
    `more` are elements of a record that this event alone has."""
    if not wanted(bucket):
        return
    text = key.decode()
    # Of the host name that a stranger called nothing shall stand in messages to others.
    cause = {"endpoint": ctx.endpoint if ctx.account_id == bucket.account_id else "", "trace": ctx.trace}
    for service, target, id in _targets(bucket, f"s3:{event}", text):
        document = {"Records": [{**_record(ctx, bucket, event, text, id, facts), **more}], _CAUSE: cause}
        number = await ctx.db.fetchval(
            _INSERT, bucket.account_id, bucket.region, bucket.name, service, target, document
        )
        await ctx.wake("s3.event", str(number))


def _record(ctx: Context, bucket: Bucket, event: str, key: str, id: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    owner = directory.canonical_user(bucket.account_id)
    later = event.startswith(_OF_SETTINGS)
    told: dict[str, Any] = {"key": quote_plus(key, safe="/")}
    if not later:
        told["sequencer"] = f"{2**63 + (facts.get('place') or 0):016X}"
    if facts.get("etag"):
        told["eTag"] = facts["etag"]
    if facts.get("size") is not None and not later:
        told["size"] = facts["size"]
    if facts.get("version") is not None:
        told["versionId"] = facts["version"]
    return {
        "eventVersion": "2.3" if later else "2.1",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region,
        "eventTime": moment(datetime.now(UTC)),
        "eventName": event,
        "userIdentity": {"principalId": _who(ctx, event, owner)},
        "requestParameters": {"sourceIPAddress": ctx.source_ip},
        "responseElements": {"x-amz-request-id": ctx.request_id, "x-amz-id-2": ctx.request_id},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": id,
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": owner},
                "arn": bucket.arn,
            },
            "object": told,
        },
    }


def moment(time: datetime) -> str:
    """A time as records have it."""
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"


def _who(ctx: Context, event: str, owner: str) -> str:
    if ctx.principal.kind != "service":
        return f"AWS:{ctx.principal.user_id}"
    return f"AmazonCustomer:{owner}" if event.startswith("ObjectRestore:") else ctx.principal.user_id


async def deliver(ctx: Context, service: str, target: str, document: Mapping[str, Any], subject: str) -> None:
    """Tell one target, as S3 itself. Raises AwsError."""
    text = orjson.dumps({name: value for name, value in document.items() if name != _CAUSE}).decode()
    cause = document.get(_CAUSE) or {}
    ctx.endpoint, ctx.trace = cause.get("endpoint") or ctx.endpoint, cause.get("trace") or ctx.trace
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
