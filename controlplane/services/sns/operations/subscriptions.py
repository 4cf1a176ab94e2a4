"""Subscriptions: made, confirmed, told, set, listed, ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from controlplane.core.arn import Arn
from controlplane.core.context import Context
from controlplane.core.operation import ANY, OrUnsigned, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.core.principal import ANONYMOUS
from controlplane.services.sns import delivering, delivery_policies, queries
from controlplane.services.sns.attributes import check_subscription
from controlplane.services.sns.errors import AuthorizationError, InvalidParameter, NotFound
from controlplane.services.sns.filters import ATTRIBUTES
from controlplane.services.sns.subscriptions import (
    CONFIRMED_BY_TOKEN,
    Subscription,
    check_arn,
    check_endpoint,
    find,
    new_token,
    of_row,
    on_subscription,
    the_subscription,
)
from controlplane.services.sns.topics import Topic, on_topic, the_topic
from controlplane.services.sns.topics import of_row as topic_of_row

if TYPE_CHECKING:
    from types_boto3_sns.type_defs import (
        ConfirmSubscriptionInputTypeDef,
        GetSubscriptionAttributesInputTypeDef,
        ListSubscriptionsByTopicInputTypeDef,
        ListSubscriptionsInputTypeDef,
        SetSubscriptionAttributesInputTypeDef,
        SubscribeInputTypeDef,
        UnsubscribeInputTypeDef,
    )

_PAGE = 100
_DEFAULTS = {"RawMessageDelivery": "false", "FilterPolicyScope": ATTRIBUTES}
_PENDING = "PendingConfirmation"
_TOPIC_OF = "SELECT * FROM sns_topics WHERE id = $1"


@operation("Subscribe", on=on_topic())
async def subscribe(ctx: Context, request: SubscribeInputTypeDef) -> dict[str, Any]:
    """Make a subscription. What others must agree to waits for their confirmation. Raises InvalidParameter."""
    topic = the_topic(ctx)
    protocol, endpoint = request["Protocol"], request.get("Endpoint") or ""
    await check_endpoint(ctx, topic, protocol, endpoint)
    given = request.get("Attributes") or {}
    attributes = check_subscription(given, {}, protocol=protocol, endpoint=endpoint, creating=True)
    row = await queries.subscription_to(ctx.db, topic.id, protocol, endpoint)
    if row is not None:
        return _told(await _again(ctx, topic, of_row(row), given, attributes), request)
    own = protocol not in CONFIRMED_BY_TOKEN and _is_own(ctx, protocol, endpoint)
    made = Subscription(
        uuid4(),
        topic.id,
        topic.arn,
        ctx.account_id,
        protocol,
        endpoint,
        attributes,
        ctx.principal.arn,
        own,
        own,
        False,
        None if own else new_token(),
    )
    values = (made.id, topic.arn, ctx.account_id, ctx.region, protocol, endpoint, attributes, made.principal)
    if not await queries.insert_subscription(ctx.db, topic.id, (*values, own, own, made.token)):
        raise InvalidParameter("Attributes Reason: Subscription already exists with different attributes")
    if not own:
        await delivering.ask_to_confirm(ctx, topic, made)
    return _told(made, request)


def _is_own(ctx: Context, protocol: str, endpoint: str) -> bool:
    """Whether the endpoint is the caller's, so that nobody else need agree."""
    return protocol == "sms" or Arn.parse(endpoint).account == ctx.account_id


async def _again(
    ctx: Context, topic: Topic, there: Subscription, given: Any, attributes: dict[str, str]
) -> Subscription:
    """The same subscription once more: it is answered, and asked for once more if it still waits."""
    for name in given:
        if there.own.get(name, _DEFAULTS.get(name, "")) != attributes.get(name, ""):
            raise InvalidParameter("Attributes Reason: Subscription already exists with different attributes")
    if not there.confirmed:
        await delivering.ask_to_confirm(ctx, topic, there)
    return there


def _told(subscription: Subscription, request: Any) -> dict[str, Any]:
    known = subscription.confirmed or request.get("ReturnSubscriptionArn")
    return {"SubscriptionArn": subscription.arn if known else "pending confirmation"}


@operation("ConfirmSubscription", on=OrUnsigned(on_topic()))
async def confirm_subscription(ctx: Context, request: ConfirmSubscriptionInputTypeDef) -> dict[str, Any]:
    """Confirm by the token that the endpoint was sent; may be repeated. Raises InvalidParameter."""
    parts = request["TopicArn"].split(":")
    row = await queries.subscription_of_token(ctx.db, request["Token"])
    if ctx.principal == ANONYMOUS:
        if len(parts) != 6 or parts[2] != "sns" or (row is not None and parts[3] != row["region"]):
            raise InvalidParameter("Topic")
    elif len(parts) != 6 or parts[3] != ctx.region:
        raise InvalidParameter("Topic")
    if row is None:
        short = len(request["Token"]) < len(new_token())
        raise InvalidParameter("Invalid token", bare=True) if short else InvalidParameter("Token")
    found = of_row(row)
    if not found.confirmed:
        signed = ctx.principal != ANONYMOUS
        only_by_owner = signed and (request.get("AuthenticateOnUnsubscribe") or "").lower() == "true"
        await queries.confirm(ctx.db, found.id, found.topic_id, authenticated=signed, only_by_owner=only_by_owner)
    return {"SubscriptionArn": found.arn}


@operation("Unsubscribe", on=OrUnsigned(on_subscription))
async def unsubscribe(ctx: Context, request: UnsubscribeInputTypeDef) -> None:
    """End a subscription; one that is gone already is no error. Raises InvalidParameter, AuthorizationError."""
    if request["SubscriptionArn"].count(":") == 5:
        raise InvalidParameter("SubscriptionId")
    check_arn(request["SubscriptionArn"])
    unsigned = ctx.principal == ANONYMOUS
    topic_arn, _, id = request["SubscriptionArn"].rpartition(":")
    if unsigned:
        row = await queries.subscription(ctx.db, UUID(id), topic_arn)
        found = of_row(row) if row is not None else None
    else:
        found = await find(ctx, request["SubscriptionArn"])
    if found is None:
        return
    if unsigned and (found.only_by_owner or not found.confirmed):
        raise AuthorizationError("User is not authorized to perform this operation")
    await queries.unsubscribe(ctx.db, found.id)
    row = await ctx.db.fetchrow(_TOPIC_OF, found.topic_id)
    if row is not None and found.confirmed and found.protocol in CONFIRMED_BY_TOKEN:
        await delivering.tell_of_the_end(ctx, topic_of_row(row), found)


@operation("GetSubscriptionAttributes", on=on_subscription)
async def get_subscription_attributes(ctx: Context, request: GetSubscriptionAttributesInputTypeDef) -> dict[str, Any]:
    """All attributes of a subscription. Raises NotFound."""
    found = the_subscription(ctx)
    row = await ctx.db.cached_row(_TOPIC_OF, found.topic_id)
    told = {
        "ConfirmationWasAuthenticated": _word(found.authenticated),
        "Endpoint": found.endpoint,
        "Owner": found.account_id,
        "PendingConfirmation": _word(not found.confirmed),
        "Protocol": found.protocol,
        "RawMessageDelivery": "false",
        "SubscriptionArn": found.arn,
        "SubscriptionPrincipal": found.principal,
        "TopicArn": found.topic_arn,
        **found.own,
    }
    if "FilterPolicy" not in told:
        told.pop("FilterPolicyScope", None)
    if found.protocol in ("http", "https") and row is not None:
        topic = row["attributes"]
        if (policy := delivery_policies.shown(found.own)) is not None:
            told["DeliveryPolicy"] = policy
        told["EffectiveDeliveryPolicy"] = delivery_policies.effective_of(found.own, topic)
    return {"Attributes": told}


def _word(value: bool) -> str:
    return "true" if value else "false"


@operation("SetSubscriptionAttributes", on=on_subscription)
async def set_subscription_attributes(ctx: Context, request: SetSubscriptionAttributesInputTypeDef) -> None:
    """Set an attribute; an empty value takes it off. Raises InvalidParameter."""
    row = await queries.subscription_by_id(ctx.db, the_subscription(ctx).id)
    if row is None:
        raise NotFound("Subscription")
    found = of_row(row)
    given = {request["AttributeName"]: request.get("AttributeValue") or ""}
    kept = check_subscription(given, found.own, protocol=found.protocol, endpoint=found.endpoint, creating=False)
    if "FilterPolicy" not in kept and given.get("FilterPolicy") == "":
        kept.pop("FilterPolicyScope", None)
    await queries.set_subscription(ctx.db, found.id, found.topic_id, kept)


@operation("ListSubscriptions", on=ANY)
async def list_subscriptions(ctx: Context, request: ListSubscriptionsInputTypeDef) -> dict[str, Any]:
    """The caller's subscriptions, a hundred a page."""
    return _page(await queries.page(ctx, _after(request.get("NextToken")), _PAGE + 1))


@operation("ListSubscriptionsByTopic", on=on_topic())
async def list_subscriptions_by_topic(ctx: Context, request: ListSubscriptionsByTopicInputTypeDef) -> dict[str, Any]:
    """A topic's subscriptions, a hundred a page. Raises NotFound."""
    topic = the_topic(ctx)
    return _page(await queries.page_of_topic(ctx.db, topic.id, _after(request.get("NextToken")), _PAGE + 1))


def _after(token: str | None) -> UUID | None:
    if not token:
        return None
    try:
        return UUID(str(decode_token(token)))
    except ValueError as error:
        raise InvalidParameter("NextToken Reason: Invalid token") from error


def _page(rows: list[Any]) -> dict[str, Any]:
    shown = [of_row(row) for row in rows[:_PAGE]]
    result: dict[str, Any] = {
        "Subscriptions": [
            {
                "SubscriptionArn": one.arn if one.confirmed else _PENDING,
                "Owner": one.account_id,
                "Protocol": one.protocol,
                "Endpoint": one.endpoint,
                "TopicArn": one.topic_arn,
            }
            for one in shown
        ]
    }
    if len(rows) > _PAGE:
        result["NextToken"] = encode_token(str(shown[-1].id))
    return result
