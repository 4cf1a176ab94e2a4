"""The serial console of instances."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.fleet import consoles
from controlplane.services.ec2 import describing, permissions
from controlplane.services.ec2.nouns import INSTANCE
from controlplane.services.ec2.queries import instances as queries

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import GetConsoleOutputRequestTypeDef


@operation("GetConsoleOutput", on=permissions.named(INSTANCE, "InstanceId"))
async def get_console_output(ctx: Context, request: GetConsoleOutputRequestTypeDef) -> dict[str, Any]:
    """The last 64 KiB that the instance wrote to its serial console, as its host last sent them."""
    id = request["InstanceId"]
    INSTANCE.check([id])
    describing.require(INSTANCE, [id], await queries.list_instances(ctx, [id]))
    found = await consoles.of(ctx.db, id)
    if found is None:
        return {"InstanceId": id}
    output, written = found
    return {"InstanceId": id, "Output": base64.b64encode(output).decode(), "Timestamp": written}
