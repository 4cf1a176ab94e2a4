"""The domain under which a configuration set's opens and clicks are counted, as version 1 has it."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import operation
from controlplane.services.ses import configuration_sets as sets
from controlplane.services.ses.configuration_sets import on_set


class TrackingOptionsAlreadyExists(AwsError):
    code = "TrackingOptionsAlreadyExistsException"


class TrackingOptionsDoesNotExist(AwsError):
    code = "TrackingOptionsDoesNotExistException"


@operation("CreateConfigurationSetTrackingOptions", on=on_set)
async def create_tracking_options(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ConfigurationSetDoesNotExist, TrackingOptionsAlreadyExists."""
    name = request["ConfigurationSetName"]
    if await _there(ctx, name):
        raise TrackingOptionsAlreadyExists(f"Tracking options already exist for configuration set <{name}>.")
    await sets.change(ctx, name, TrackingOptions=_given(request))
    return {}


@operation("UpdateConfigurationSetTrackingOptions", on=on_set)
async def update_tracking_options(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ConfigurationSetDoesNotExist, TrackingOptionsDoesNotExist."""
    await _require(ctx, request["ConfigurationSetName"])
    await sets.change(ctx, request["ConfigurationSetName"], TrackingOptions=_given(request))
    return {}


@operation("DeleteConfigurationSetTrackingOptions", on=on_set)
async def delete_tracking_options(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ConfigurationSetDoesNotExist, TrackingOptionsDoesNotExist."""
    await _require(ctx, request["ConfigurationSetName"])
    await sets.change(ctx, request["ConfigurationSetName"], TrackingOptions={})
    return {}


def _given(request: Any) -> dict[str, Any]:
    domain = (request.get("TrackingOptions") or {}).get("CustomRedirectDomain")
    return {"CustomRedirectDomain": domain} if domain else {}


async def _there(ctx: Context, name: str) -> bool:
    return bool((await sets.find(ctx, name))["options"].get("TrackingOptions"))


async def _require(ctx: Context, name: str) -> None:
    if not await _there(ctx, name):
        raise TrackingOptionsDoesNotExist(f"Tracking options do not exist for configuration set <{name}>.")
