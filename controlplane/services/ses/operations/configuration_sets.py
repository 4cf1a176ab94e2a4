"""Configuration sets and their event destinations, as version 1 has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.core.paging import encode_token
from controlplane.services.ses import configuration_sets as sets
from controlplane.services.ses.configuration_sets import TYPES, on_set
from controlplane.services.ses.paging import after

_MOST = 1000
_DIMENSIONS = {"messageTag": "MESSAGE_TAG", "emailHeader": "EMAIL_HEADER", "linkTag": "LINK_TAG"}


@operation("CreateConfigurationSet", on=on_set)
async def create_configuration_set(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ConfigurationSetAlreadyExists."""
    await sets.create(ctx, request["ConfigurationSet"]["Name"], {}, {})
    return {}


@operation("DeleteConfigurationSet", on=on_set)
async def delete_configuration_set(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ConfigurationSetDoesNotExist."""
    await sets.delete(ctx, request["ConfigurationSetName"])
    return {}


@operation("ListConfigurationSets", on=ANY)
async def list_configuration_sets(ctx: Context, request: Any) -> dict[str, Any]:
    """By name."""
    size = min(max(request.get("MaxItems") or _MOST, 1), _MOST)
    names = await sets.page(ctx, after(request), size + 1)
    more = {"NextToken": encode_token(names[size - 1])} if len(names) > size else {}
    return {"ConfigurationSets": [{"Name": name} for name in names[:size]], **more}


@operation("DescribeConfigurationSet", on=on_set)
async def describe_configuration_set(ctx: Context, request: Any) -> dict[str, Any]:
    """A set with those of its attributes that are asked for. Raises ConfigurationSetDoesNotExist."""
    row = await sets.read(ctx, request["ConfigurationSetName"])
    wanted, options = request.get("ConfigurationSetAttributeNames") or (), row["options"]
    answer: dict[str, Any] = {"ConfigurationSet": {"Name": row["name"]}}
    if "eventDestinations" in wanted:
        answer["EventDestinations"] = [_shown(name, each) for name, each in sorted(row["destinations"].items())]
    if "trackingOptions" in wanted and options.get("TrackingOptions"):
        answer["TrackingOptions"] = {"CustomRedirectDomain": options["TrackingOptions"].get("CustomRedirectDomain", "")}
    if "deliveryOptions" in wanted and options.get("DeliveryOptions"):
        answer["DeliveryOptions"] = {"TlsPolicy": options["DeliveryOptions"].get("TlsPolicy", "OPTIONAL").capitalize()}
    if "reputationOptions" in wanted:
        answer["ReputationOptions"] = {
            "SendingEnabled": (options.get("SendingOptions") or {}).get("SendingEnabled", True),
            "ReputationMetricsEnabled": (options.get("ReputationOptions") or {}).get("ReputationMetricsEnabled", False),
        }
    return answer


def _shown(name: str, each: Mapping[str, Any]) -> dict[str, Any]:
    old = {new: old for old, new in TYPES.items()}
    shown: dict[str, Any] = {
        "Name": name,
        "Enabled": each["Enabled"],
        "MatchingEventTypes": [old[kind] for kind in each["MatchingEventTypes"] if kind in old],
    }
    if each.get("SnsDestination"):
        shown["SNSDestination"] = {"TopicARN": each["SnsDestination"]["TopicArn"]}
    if each.get("KinesisFirehoseDestination"):
        given = each["KinesisFirehoseDestination"]
        shown["KinesisFirehoseDestination"] = {
            "IAMRoleARN": given["IamRoleArn"],
            "DeliveryStreamARN": given["DeliveryStreamArn"],
        }
    if each.get("CloudWatchDestination"):
        sources = {new: old for old, new in _DIMENSIONS.items()}
        dimensions = each["CloudWatchDestination"]["DimensionConfigurations"]
        told = [{**item, "DimensionValueSource": sources[item["DimensionValueSource"]]} for item in dimensions]
        shown["CloudWatchDestination"] = {"DimensionConfigurations": told}
    return shown


def _kept(given: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {
        "Enabled": bool(given.get("Enabled")),
        "MatchingEventTypes": [TYPES[kind] for kind in given.get("MatchingEventTypes") or ()],
    }
    if given.get("SNSDestination"):
        kept["SnsDestination"] = {"TopicArn": given["SNSDestination"]["TopicARN"]}
    if given.get("KinesisFirehoseDestination"):
        stream = given["KinesisFirehoseDestination"]
        kept["KinesisFirehoseDestination"] = {
            "IamRoleArn": stream["IAMRoleARN"],
            "DeliveryStreamArn": stream["DeliveryStreamARN"],
        }
    if given.get("CloudWatchDestination"):
        dimensions = given["CloudWatchDestination"]["DimensionConfigurations"]
        told = [{**item, "DimensionValueSource": _DIMENSIONS[item["DimensionValueSource"]]} for item in dimensions]
        kept["CloudWatchDestination"] = {"DimensionConfigurations": told}
    return kept


@operation("CreateConfigurationSetEventDestination", on=on_set)
async def create_event_destination(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ConfigurationSetDoesNotExist, EventDestinationAlreadyExists, InvalidSNSDestination."""
    given = request["EventDestination"]
    await sets.put_destination(ctx, request["ConfigurationSetName"], given["Name"], _kept(given), new=True)
    return {}


@operation("UpdateConfigurationSetEventDestination", on=on_set)
async def update_event_destination(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ConfigurationSetDoesNotExist, EventDestinationDoesNotExist, InvalidSNSDestination."""
    given = request["EventDestination"]
    await sets.put_destination(ctx, request["ConfigurationSetName"], given["Name"], _kept(given), new=False)
    return {}


@operation("DeleteConfigurationSetEventDestination", on=on_set)
async def delete_event_destination(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ConfigurationSetDoesNotExist, EventDestinationDoesNotExist."""
    await sets.drop_destination(ctx, request["ConfigurationSetName"], request["EventDestinationName"])
    return {}


@operation("UpdateConfigurationSetSendingEnabled", on=on_set)
async def update_sending_enabled(ctx: Context, request: Any) -> None:
    """Pause a set's mail, or go on. Raises ConfigurationSetDoesNotExist."""
    await sets.change(ctx, request["ConfigurationSetName"], SendingOptions={"SendingEnabled": request["Enabled"]})


@operation("UpdateConfigurationSetReputationMetricsEnabled", on=on_set)
async def update_reputation_metrics_enabled(ctx: Context, request: Any) -> None:
    """Raises ConfigurationSetDoesNotExist."""
    options = {"ReputationMetricsEnabled": request["Enabled"]}
    await sets.change(ctx, request["ConfigurationSetName"], ReputationOptions=options)


@operation("PutConfigurationSetDeliveryOptions", on=on_set)
async def put_delivery_options(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ConfigurationSetDoesNotExist."""
    policy = (request.get("DeliveryOptions") or {}).get("TlsPolicy", "Optional").upper()
    await sets.change(ctx, request["ConfigurationSetName"], DeliveryOptions={"TlsPolicy": policy})
    return {}
