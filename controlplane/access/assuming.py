"""How a service acts with a role that was passed to it."""

from __future__ import annotations

from dataclasses import replace

from controlplane.access.sessions import open_token
from controlplane.core.context import Context


async def assume(ctx: Context, role_arn: str, session_name: str) -> Context:
    """The means to call operations as a session of a role. `ctx` is that of a service itself (`run.acting`,
    `ctx.as_service`); the role's trust policy must let it in.

    Raises AccessDenied.
    """
    made = await ctx.call("sts", "AssumeRole", {"RoleArn": role_arn, "RoleSessionName": session_name})
    credentials = made["Credentials"]
    principal = open_token(ctx.engine("sealing"), credentials["AccessKeyId"], credentials["SessionToken"])
    return replace(ctx, account_id=principal.account_id, principal=principal, facts={}, resources=())
