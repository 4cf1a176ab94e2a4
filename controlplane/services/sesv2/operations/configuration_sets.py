"""Configuration sets and their event destinations."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY
from controlplane.services.ses import configuration_sets as sets
from controlplane.services.ses.configuration_sets import on_set
from controlplane.services.ses.paging import after
from controlplane.services.sesv2.declaring import operation
from controlplane.services.sesv2.paging import more, shown_tags, size, tags

_MOST = 1000
_OPTIONS = (
    "TrackingOptions",
    "DeliveryOptions",
    "ReputationOptions",
    "SendingOptions",
    "SuppressionOptions",
)


@operation("CreateConfigurationSet", on=on_set)
async def create_configuration_set(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises AlreadyExistsException, BadRequestException."""
    options = {name: request[name] for name in _OPTIONS if request.get(name)}
    await sets.create(ctx, request["ConfigurationSetName"], options, tags(request.get("Tags")))
    return {}


@operation("GetConfigurationSet", on=on_set)
async def get_configuration_set(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    row = await sets.read(ctx, request["ConfigurationSetName"])
    defaults: dict[str, Any] = {
        "SendingOptions": {"SendingEnabled": True},
        "ReputationOptions": {"ReputationMetricsEnabled": False},
    }
    shown = {name: value for name, value in {**defaults, **row["options"]}.items() if value}
    return {"ConfigurationSetName": row["name"], **shown, "Tags": shown_tags(row["tags"])}


@operation("DeleteConfigurationSet", on=on_set)
async def delete_configuration_set(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    await sets.delete(ctx, request["ConfigurationSetName"])
    return {}


@operation("ListConfigurationSets", on=ANY)
async def list_configuration_sets(ctx: Context, request: Any) -> dict[str, Any]:
    """By name."""
    most = size(request, _MOST)
    names = await sets.page(ctx, after(request), most + 1)
    return {"ConfigurationSets": names[:most], **more(names, most, str)}


@operation("PutConfigurationSetSendingOptions", on=on_set)
async def put_sending_options(ctx: Context, request: Any) -> dict[str, Any]:
    """Pause a set's mail, or go on. Raises NotFoundException."""
    enabled = bool(request.get("SendingEnabled"))
    await sets.change(ctx, request["ConfigurationSetName"], SendingOptions={"SendingEnabled": enabled})
    return {}


@operation("PutConfigurationSetReputationOptions", on=on_set)
async def put_reputation_options(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    options = {"ReputationMetricsEnabled": bool(request.get("ReputationMetricsEnabled"))}
    await sets.change(ctx, request["ConfigurationSetName"], ReputationOptions=options)
    return {}


@operation("PutConfigurationSetSuppressionOptions", on=on_set)
async def put_suppression_options(ctx: Context, request: Any) -> dict[str, Any]:
    """For which reasons addresses are left out; none given: for none. Raises NotFoundException."""
    options = {"SuppressedReasons": list(request.get("SuppressedReasons") or ())}
    await sets.change(ctx, request["ConfigurationSetName"], SuppressionOptions=options)
    return {}


@operation("PutConfigurationSetDeliveryOptions", on=on_set)
async def put_delivery_options(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    given = {
        name: request[name] for name in ("TlsPolicy", "SendingPoolName", "MaxDeliverySeconds") if request.get(name)
    }
    await sets.change(ctx, request["ConfigurationSetName"], DeliveryOptions=given)
    return {}


@operation("PutConfigurationSetTrackingOptions", on=on_set)
async def put_tracking_options(ctx: Context, request: Any) -> dict[str, Any]:
    """The domain under which opens and clicks are counted. Raises NotFoundException."""
    given = {name: request[name] for name in ("CustomRedirectDomain", "HttpsPolicy") if request.get(name)}
    await sets.change(ctx, request["ConfigurationSetName"], TrackingOptions=given)
    return {}


@operation("CreateConfigurationSetEventDestination", on=on_set)
async def create_event_destination(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException, AlreadyExistsException, BadRequestException."""
    name, given = request["EventDestinationName"], request["EventDestination"]
    await sets.put_destination(ctx, request["ConfigurationSetName"], name, given, new=True)
    return {}


@operation("UpdateConfigurationSetEventDestination", on=on_set)
async def update_event_destination(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException, BadRequestException."""
    name, given = request["EventDestinationName"], request["EventDestination"]
    await sets.put_destination(ctx, request["ConfigurationSetName"], name, given, new=False)
    return {}


@operation("DeleteConfigurationSetEventDestination", on=on_set)
async def delete_event_destination(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    await sets.drop_destination(ctx, request["ConfigurationSetName"], request["EventDestinationName"])
    return {}


@operation("GetConfigurationSetEventDestinations", on=on_set)
async def get_event_destinations(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    row = await sets.read(ctx, request["ConfigurationSetName"])
    return {"EventDestinations": [{"Name": name, **each} for name, each in sorted(row["destinations"].items())]}
