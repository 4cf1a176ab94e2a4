"""What documents of a bucket's settings must be to be kept."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from controlplane.core.arn import Arn, bucket_of
from controlplane.core.context import Context
from controlplane.core.portable import portable
from controlplane.services.s3 import buckets, events
from controlplane.services.s3.buckets import Bucket
from controlplane.services.s3.errors import (
    AccessDenied,
    InvalidArgument,
    InvalidRequest,
    MalformedXML,
    NoSuchBucket,
    S3Error,
)
from controlplane.services.s3.writing import STORAGE_CLASSES

_MOST_RULES = 1000
_REDIRECTION = re.compile(r"3[0-9]{2}")
LEAST_SIZES = ("all_storage_classes_128K", "varies_by_storage_class")
_FIRST_REGION = "us-east-1"
_PERMISSIONS = frozenset({"FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP"})
"""The guide allows the first three in a log's grants; AWS takes those of all lists."""
_LEAST_DAYS = {"STANDARD_IA": 30, "ONEZONE_IA": 30}
"""How old what moves to a class is at the least."""
_TRANSITIONS = STORAGE_CLASSES - {"STANDARD", "REDUCED_REDUNDANCY"}


class InvalidTargetBucketForLogging(S3Error):
    code = "InvalidTargetBucketForLogging"
    text = "The target bucket for logging does not exist"


class InvalidS3DestinationBucket(S3Error):
    code = "InvalidS3DestinationBucket"
    text = "Invalid bucket ARN."


def one_of(value: str | None, *allowed: str) -> str:
    """A word of a list. Raises MalformedXML."""
    if value not in allowed:
        raise MalformedXML
    return value


def accelerate(bucket: Bucket, status: str | None) -> str:
    """Raises InvalidRequest where the bucket's name cannot be a label of a host name."""
    if "." in bucket.name:
        raise InvalidRequest("S3 Transfer Acceleration is not supported for buckets with periods (.) in their names")
    return one_of(status, "Enabled", "Suspended")


def lifecycle(rules: Sequence[Mapping[str, Any]], *, real_days: bool, free_filters: bool) -> list[dict[str, Any]]:
    """Rules of a lifecycle, with ids where they have none. Nobody waits for 30 days on a clock whose days are made
    short for tests; several conditions of a filter need an `And` unless filters are free.

    Raises MalformedXML, InvalidArgument, InvalidRequest.
    """
    if not 1 <= len(rules) <= _MOST_RULES:
        raise MalformedXML
    found = [{**rule, "ID": rule.get("ID") or secrets.token_urlsafe(36)} for rule in rules]
    ids = [rule["ID"] for rule in found]
    if any(len(id) > 255 for id in ids):
        raise InvalidArgument("ID length should not exceed allowed limit of 255", ArgumentName="ID")
    if len(set(ids)) != len(ids):
        raise InvalidArgument("Rule ID must be unique. Found same ID for more than one rule", ArgumentName="ID")
    for rule in found:
        if _conditions(rule) > 1 and (not free_filters or _contradicts(rule["Filter"])):
            raise MalformedXML
        _check_lifecycle(rule)
        _check_classes(rule, _LEAST_DAYS if real_days else {})
    return found


def _conditions(rule: Mapping[str, Any]) -> int:
    return len([name for name, value in (rule.get("Filter") or {}).items() if value is not None])


def _contradicts(alone: Mapping[str, Any]) -> bool:
    """Whether what a filter says beside its `And` and in it can hold of nothing."""
    both = alone.get("And") or {}
    tag = alone.get("Tag") or {}
    short, long = sorted((alone.get("Prefix") or "", both.get("Prefix") or ""), key=len)
    others = [each.get("Value") for each in both.get("Tags") or () if each.get("Key") == tag.get("Key")]
    return not long.startswith(short) or any(value != tag.get("Value") for value in others)


def _check_lifecycle(rule: Mapping[str, Any]) -> None:
    if rule.get("Status") not in ("Enabled", "Disabled"):
        raise MalformedXML
    if "Filter" in rule and rule.get("Prefix") is not None:
        raise MalformedXML
    if "Filter" not in rule and "Prefix" not in rule:
        raise MalformedXML
    tags = [tag.get("Key") for tag in ((rule.get("Filter") or {}).get("And") or {}).get("Tags") or ()]
    if len(set(tags)) != len(tags):
        raise InvalidRequest("Duplicate Tag Keys are not allowed.")
    actions = ("Expiration", "Transitions", "NoncurrentVersionTransitions", "NoncurrentVersionExpiration",
               "AbortIncompleteMultipartUpload")  # fmt: skip
    if not any(rule.get(name) for name in actions):
        raise InvalidRequest("At least one action needs to be specified in a rule")
    expiration = rule.get("Expiration") or {}
    if len([value for value in expiration.values() if value is not None]) > 1:
        raise MalformedXML
    _check_positive(expiration.get("Days"), "'Days' for Expiration action must be a positive integer")
    _check_midnight(expiration.get("Date"))
    noncurrent = rule.get("NoncurrentVersionExpiration") or {}
    if "NoncurrentVersionExpiration" in rule and not noncurrent:
        raise MalformedXML
    _check_positive(
        noncurrent.get("NoncurrentDays"),
        "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer",
    )
    for transition in rule.get("Transitions") or ():
        if transition.get("StorageClass") not in _TRANSITIONS:
            raise MalformedXML
        if (transition.get("Days") is None) == (transition.get("Date") is None):
            raise MalformedXML
        if transition.get("Days") is not None and transition["Days"] < 0:
            raise InvalidArgument("'Days' for Transition action must be nonnegative", ArgumentName="Days")
        _check_midnight(transition.get("Date"))
    for transition in rule.get("NoncurrentVersionTransitions") or ():
        if transition.get("StorageClass") not in _TRANSITIONS:
            raise MalformedXML
    abort = rule.get("AbortIncompleteMultipartUpload") or {}
    _check_positive(
        abort.get("DaysAfterInitiation"),
        "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer",
    )


def _check_classes(rule: Mapping[str, Any], least: Mapping[str, int]) -> None:
    """What moves goes to each class once, not too young, and is not expired before."""
    for name, days in (("Transition", "Days"), ("NoncurrentVersionTransition", "NoncurrentDays")):
        moves = rule.get(f"{name}s") or ()
        classes = [move["StorageClass"] for move in moves]
        if len(set(classes)) != len(classes):
            raise InvalidRequest(f"'StorageClass' must be different for '{name}' actions in same 'Rule'")
        for move in moves:
            needed = least.get(move["StorageClass"], 0)
            if move.get(days) is not None and move[days] < needed:
                text = f"must be greater than or equal to {needed} for storageClass '{move['StorageClass']}'"
                raise InvalidArgument(f"'{days}' in {name} action {text}")
    end = (rule.get("Expiration") or {}).get("Days")
    last = max((move.get("Days") or 0 for move in rule.get("Transitions") or ()), default=-1)
    if end is not None and end <= last:
        filter = rule.get("Filter") or {}
        prefix = rule.get("Prefix") or filter.get("Prefix") or (filter.get("And") or {}).get("Prefix") or ""
        raise InvalidArgument(
            f"'Days' in the Expiration action for filter '(prefix={prefix})' must be greater than 'Days' in the "
            "Transition action"
        )


def _check_positive(value: int | None, message: str) -> None:
    if value is not None and value < 1:
        raise InvalidArgument(message)


def _check_midnight(moment: datetime | None) -> None:
    if moment is not None and (moment.hour, moment.minute, moment.second) != (0, 0, 0):
        raise InvalidArgument("'Date' must be at midnight GMT", ArgumentName="Date", ArgumentValue=moment.isoformat())


def website(given: Mapping[str, Any]) -> dict[str, Any]:
    """How a bucket answers as a website. Raises InvalidArgument, MalformedXML."""
    redirect = given.get("RedirectAllRequestsTo")
    if redirect is not None:
        if len([value for value in given.values() if value is not None]) > 1:
            raise InvalidArgument(
                "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.",
                ArgumentName="RedirectAllRequestsTo", ArgumentValue="not null",
            )  # fmt: skip
        if not redirect.get("HostName"):
            raise MalformedXML
        _check_protocol(redirect)
        return dict(given)
    suffix = (given.get("IndexDocument") or {}).get("Suffix")
    if not given.get("IndexDocument"):
        raise InvalidArgument(
            "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
            ArgumentName="IndexDocument", ArgumentValue="null",
        )  # fmt: skip
    if not suffix or "/" in suffix:
        raise InvalidArgument("The IndexDocument Suffix is not well formed", ArgumentName="IndexDocument",
                              ArgumentValue=suffix or "")  # fmt: skip
    if "ErrorDocument" in given and not (given["ErrorDocument"] or {}).get("Key"):
        raise MalformedXML
    if given.get("RoutingRules") == []:
        raise MalformedXML
    for rule in given.get("RoutingRules") or ():
        _check_route(rule)
    return dict(given)


def _check_route(rule: Mapping[str, Any]) -> None:
    redirect = rule.get("Redirect")
    if not redirect:
        raise MalformedXML
    if redirect.get("ReplaceKeyWith") is not None and redirect.get("ReplaceKeyPrefixWith") is not None:
        raise InvalidRequest("You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
    condition = rule.get("Condition")
    if condition is not None and not any(value for value in condition.values()):
        raise InvalidRequest(
            "Condition cannot be empty. To redirect all requests without a condition, the condition element "
            "shouldn't be present."
        )
    _check_protocol(redirect)
    code = redirect.get("HttpRedirectCode")
    if code is not None and (code == "300" or not _REDIRECTION.fullmatch(code)):
        raise InvalidRequest(
            f"The provided HTTP redirect code ({code[:100]}) is not valid. Valid codes are 3XX except 300."
        )


def _check_protocol(redirect: Mapping[str, Any]) -> None:
    if redirect.get("Protocol") not in (None, "http", "https"):
        raise InvalidRequest(
            "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected "
            "automatically."
        )


async def replication(ctx: Context, bucket: Bucket, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is copied where, with a role that the caller may pass. Raises InvalidRequest, MalformedXML."""
    if bucket.versioning != "Enabled":
        raise InvalidRequest("Versioning must be 'Enabled' on the bucket to apply a replication configuration")
    rules = given.get("Rules") or []
    if not rules or not given.get("Role"):
        raise MalformedXML
    found = []
    for rule in rules:
        if rule.get("Status") not in ("Enabled", "Disabled") or not (rule.get("Destination") or {}).get("Bucket"):
            raise MalformedXML
        try:
            target = await buckets.find(ctx, bucket_of(rule["Destination"]["Bucket"]))
        except ValueError as error:
            raise MalformedXML from error
        if target is None or target.versioning != "Enabled":
            raise InvalidRequest("Destination bucket must have versioning enabled.")
        if target.id == bucket.id:
            raise InvalidRequest("Destination bucket cannot be the source bucket.")
        if rule["Destination"].get("StorageClass") not in (None, *STORAGE_CLASSES):
            raise MalformedXML
        found.append({**rule, "ID": rule.get("ID") or str(uuid.uuid4())})
    if len({rule["ID"] for rule in found}) != len(found):
        raise InvalidRequest("Rule Id must be unique")
    await ctx.pass_role(given["Role"], events.SERVICE)
    return {"Role": given["Role"], "Rules": portable(found)}


async def logging(ctx: Context, bucket: Bucket, enabled: Mapping[str, Any]) -> dict[str, Any]:
    """Where access is logged to. Raises InvalidTargetBucketForLogging."""
    target = await buckets.find(ctx, enabled.get("TargetBucket") or "")
    if target is None:
        raise InvalidTargetBucketForLogging(TargetBucket=enabled.get("TargetBucket") or "")
    if target.account_id != bucket.account_id:
        raise InvalidTargetBucketForLogging(
            "The owner for the bucket to be logged and the target bucket must be the same.", TargetBucket=target.name
        )
    if target.region != bucket.region:
        source = {} if bucket.region == _FIRST_REGION else {"SourceBucketLocation": bucket.region}
        raise S3CrossRegionLogging(
            "Cross S3 location logging not allowed. ", **source, TargetBucketLocation=target.region
        )
    if enabled.get("TargetPrefix") is None:
        raise MalformedXML
    for grant in enabled.get("TargetGrants") or ():
        one_of(grant.get("Permission"), *_PERMISSIONS)
    return dict(portable(enabled))


async def logging_as_ceph(ctx: Context, bucket: Bucket, enabled: Mapping[str, Any]) -> None:
    """What Ceph's gateway wants besides: the owner alone, and another bucket that is neither logged itself nor
    encrypted nor paid for by others. Raises AccessDenied, InvalidArgument."""
    if ctx.account_id != bucket.account_id:
        raise AccessDenied
    target = await buckets.find(ctx, enabled.get("TargetBucket") or "")
    if target is None or target.account_id != bucket.account_id:
        return
    paid = target.settings.get("payer") == "Requester"
    if target.id == bucket.id or target.settings.get("logging") or target.settings.get("encryption") or paid:
        raise InvalidArgument("", ArgumentName="TargetBucket", ArgumentValue=target.name)


class S3CrossRegionLogging(S3Error):
    code, status = "CrossLocationLoggingProhibitted", 403


_TARGETS = {
    "QueueConfigurations": ("QueueArn", "Queue", "sqs"),
    "TopicConfigurations": ("TopicArn", "Topic", "sns"),
    "LambdaFunctionConfigurations": ("LambdaFunctionArn", "CloudFunction", "lambda"),
}
"""Member, its element and the service of each kind of target."""
_EVENTS = ("s3:ObjectCreated:", "s3:ObjectRemoved:", "s3:ObjectRestore:", "s3:ReducedRedundancyLostObject",
           "s3:Replication:", "s3:LifecycleExpiration:", "s3:LifecycleTransition", "s3:IntelligentTiering",
           "s3:ObjectTagging:", "s3:ObjectAcl:", "s3:TestEvent")  # fmt: skip


async def notification(ctx: Context, bucket: Bucket, given: Mapping[str, Any], *, skipped: bool) -> dict[str, Any]:
    """Who is told of what, with ids where there are none. Raises InvalidArgument."""
    found: dict[str, Any] = {}
    for kind, (member, element, service) in _TARGETS.items():
        items = [_checked(item, member, element, service) for item in given.get(kind) or ()]
        if items:
            found[kind] = items
    if given.get("EventBridgeConfiguration") is not None:
        found["EventBridgeConfiguration"] = {}
    if not skipped:
        await events.try_targets(ctx, bucket, found)
    return found


def _checked(item: Mapping[str, Any], member: str, element: str, service: str) -> dict[str, Any]:
    try:
        arn = Arn.parse(item.get(member) or "")
    except ValueError:
        arn = None
    if arn is None or arn.service != service:
        raise InvalidArgument("The ARN could not be parsed", ArgumentName=element, ArgumentValue=item.get(member) or "")
    if not item.get("Events"):
        raise MalformedXML
    for event in item["Events"]:
        if not event.startswith(_EVENTS):
            raise InvalidArgument(
                f"The event '{event[:100]}' is not supported for notifications",
                ArgumentName="Event", ArgumentValue=event,
            )  # fmt: skip
    rules = ((item.get("Filter") or {}).get("Key") or {}).get("FilterRules") or []
    for rule in rules:
        if rule.get("Name") is None or rule.get("Value") is None:
            raise MalformedXML
        if rule["Name"].lower() not in ("prefix", "suffix"):
            raise InvalidArgument(
                "filter rule name must be either prefix or suffix", ArgumentName="FilterRule.Name",
                ArgumentValue=rule["Name"],
            )  # fmt: skip
    if len({(rule["Name"]).lower() for rule in rules}) != len(rules):
        raise InvalidArgument(
            "Cannot specify more than one prefix or suffix rule in a filter.", ArgumentName="FilterRule.Name"
        )
    kept = {**item, "Id": item.get("Id") or str(uuid.uuid4())}
    if rules:
        shown = [{"Name": rule["Name"].capitalize(), "Value": rule["Value"]} for rule in rules]
        kept["Filter"] = {"Key": {"FilterRules": shown}}
    return kept


async def inventory(ctx: Context, document: Mapping[str, Any]) -> None:
    """Raises MalformedXML, InvalidS3DestinationBucket."""
    target = ((document.get("Destination") or {}).get("S3BucketDestination")) or {}
    if document.get("IncludedObjectVersions") not in ("All", "Current") or not target.get("Bucket"):
        raise MalformedXML
    if target.get("Format") not in ("CSV", "ORC", "Parquet"):
        raise MalformedXML
    if (document.get("Schedule") or {}).get("Frequency") not in ("Daily", "Weekly"):
        raise MalformedXML
    try:
        name = bucket_of(target["Bucket"])
    except ValueError as error:
        raise InvalidS3DestinationBucket from error
    if await buckets.find(ctx, name) is None:
        raise NoSuchBucket(BucketName=name)


def tiering(document: Mapping[str, Any]) -> None:
    """Raises MalformedXML, InvalidArgument."""
    if document.get("Status") not in ("Enabled", "Disabled") or not document.get("Tierings"):
        raise MalformedXML
    for item in document["Tierings"]:
        least = {"ARCHIVE_ACCESS": 90, "DEEP_ARCHIVE_ACCESS": 180}.get(item.get("AccessTier") or "")
        if least is None:
            raise MalformedXML
        if not least <= (item.get("Days") or 0) <= 730:
            raise InvalidArgument(f"Days for {item['AccessTier']} must be between {least} and 730", ArgumentName="Days")
