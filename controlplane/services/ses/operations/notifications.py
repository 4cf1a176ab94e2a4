"""What identities have set: topics for their notifications, MAIL FROM domains, policies."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.ses import identities
from controlplane.services.ses.errors import InvalidParameterValue, MessageRejected

_KINDS = ("Bounce", "Complaint", "Delivery")


async def _identity(ctx: Context, name: str) -> Any:
    row = await identities.find(ctx, name)
    if row is None:
        raise InvalidParameterValue(f"Identity {name[:320]} is invalid. Must be a verified email address or domain.")
    return row


def _check_kind(kind: str) -> None:
    if kind not in _KINDS:
        raise InvalidParameterValue(f"Invalid notification type: {kind[:100]}. Valid values are: {', '.join(_KINDS)}.")


@operation("SetIdentityNotificationTopic", on=identities.on("Identity"))
async def set_identity_notification_topic(ctx: Context, request: Any) -> dict[str, Any]:
    """Tell a topic of bounces, complaints or deliveries, or no longer. Raises InvalidParameterValue."""
    kind = request["NotificationType"]
    _check_kind(kind)
    row = await _identity(ctx, request["Identity"])
    topics = {**(row["settings"].get("topics") or {}), kind: request.get("SnsTopic")}
    await identities.change(ctx, row["name"], topics={key: topic for key, topic in topics.items() if topic})
    return {}


@operation("SetIdentityHeadersInNotificationsEnabled", on=identities.on("Identity"))
async def set_identity_headers_in_notifications_enabled(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises InvalidParameterValue, MessageRejected."""
    kind, name = request["NotificationType"], request["Identity"]
    _check_kind(kind)
    row = await identities.find(ctx, name)
    if row is None:
        raise MessageRejected(f"Identity {name[:320]} is not verified or does not exist.")
    headers = {**(row["settings"].get("headers") or {}), kind: bool(request["Enabled"])}
    await identities.change(ctx, name, headers=headers)
    return {}


@operation("SetIdentityFeedbackForwardingEnabled", on=identities.on("Identity"))
async def set_identity_feedback_forwarding_enabled(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises InvalidParameterValue."""
    row = await _identity(ctx, request["Identity"])
    topics = row["settings"].get("topics") or {}
    if not request["ForwardingEnabled"] and not {"Bounce", "Complaint"} <= set(topics):
        raise InvalidParameterValue(
            f"Identity {row['name']} must have both bounce and complaint topics to disable feedback forwarding."
        )
    await identities.change(ctx, row["name"], forwarding=request["ForwardingEnabled"])
    return {}


@operation("GetIdentityNotificationAttributes", on=ANY)
async def get_identity_notification_attributes(ctx: Context, request: Any) -> dict[str, Any]:
    """Of those identities that there are."""
    answer = {}
    for row in await identities.named(ctx, list(request["Identities"])):
        topics, headers = row["settings"].get("topics") or {}, row["settings"].get("headers") or {}
        answer[row["name"]] = {
            "ForwardingEnabled": row["settings"].get("forwarding", True),
            **{f"{kind}Topic": topics[kind] for kind in _KINDS if kind in topics},
            **{f"HeadersIn{kind}NotificationsEnabled": headers.get(kind, False) for kind in _KINDS},
        }
    return {"NotificationAttributes": answer}


@operation("SetIdentityMailFromDomain", on=identities.on("Identity"))
async def set_identity_mail_from_domain(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises InvalidParameterValue."""
    row, domain = await _identity(ctx, request["Identity"]), request.get("MailFromDomain")
    behaviour = request.get("BehaviorOnMXFailure") or "UseDefaultValue"
    kept = {"domain": identities.mail_from(row["name"], domain), "behaviour": behaviour} if domain else None
    await identities.change(ctx, row["name"], mail_from=kept)
    return {}


@operation("GetIdentityMailFromDomainAttributes", on=ANY)
async def get_identity_mail_from_domain_attributes(ctx: Context, request: Any) -> dict[str, Any]:
    """Of those identities that there are."""
    answer = {}
    for row in await identities.named(ctx, list(request["Identities"])):
        given = row["settings"].get("mail_from")
        behaviour = given["behaviour"] if given else "UseDefaultValue"
        told = {"MailFromDomain": given["domain"], "MailFromDomainStatus": "Success"} if given else {}
        answer[row["name"]] = {**told, "BehaviorOnMXFailure": behaviour}
    return {"MailFromDomainAttributes": answer}


@operation("PutIdentityPolicy", on=identities.on("Identity"))
async def put_identity_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """Keep a policy; sending for other accounts is not built. Raises InvalidParameterValue."""
    row = await _identity(ctx, request["Identity"])
    await identities.put_policy(ctx, row["name"], request["PolicyName"], request["Policy"])
    return {}


@operation("DeleteIdentityPolicy", on=identities.on("Identity"))
async def delete_identity_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """One that is not there is no error."""
    await identities.drop_policy(ctx, request["Identity"], request["PolicyName"])
    return {}


@operation("GetIdentityPolicies", on=identities.on("Identity"))
async def get_identity_policies(ctx: Context, request: Any) -> dict[str, Any]:
    """Those that there are of those asked for."""
    row = await identities.find(ctx, request["Identity"])
    found = row["policies"] if row is not None else {}
    return {"Policies": {name: found[name] for name in request["PolicyNames"] if name in found}}


@operation("ListIdentityPolicies", on=identities.on("Identity"))
async def list_identity_policies(ctx: Context, request: Any) -> dict[str, Any]:
    """Their names."""
    row = await identities.find(ctx, request["Identity"])
    return {"PolicyNames": sorted(row["policies"]) if row is not None else []}
