"""SQL on topics and subscriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from controlplane.core.context import Context, Unit

_TOPIC = "SELECT * FROM sns_topics WHERE account_id = $1 AND region = $2 AND name = $3"
_LOCK_TOPIC = "SELECT * FROM sns_topics WHERE id = $1 FOR UPDATE"
_INSERT_TOPIC = """
INSERT INTO sns_topics (account_id, region, name, fifo, attributes, tags, data_protection)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id
"""
_DELETE_TOPIC = "DELETE FROM sns_topics WHERE account_id = $1 AND region = $2 AND name = $3 RETURNING id"
_TOPICS = """
SELECT name FROM sns_topics WHERE account_id = $1 AND region = $2 AND ($3::text IS NULL OR name COLLATE "C" > $3)
ORDER BY name COLLATE "C" LIMIT $4
"""
_COUNTS = """
SELECT count(*) FILTER (WHERE confirmed) AS confirmed, count(*) FILTER (WHERE NOT confirmed) AS pending
FROM sns_subscriptions WHERE topic_id = $1
"""
_SET_ATTRIBUTES = "UPDATE sns_topics SET attributes = $2 WHERE id = $1"
_SET_TAGS = "UPDATE sns_topics SET tags = $2 WHERE id = $1"
_SET_PROTECTION = "UPDATE sns_topics SET data_protection = $2 WHERE id = $1"
_CHANGED = "UPDATE sns_topics SET version = version + 1 WHERE id = $1 RETURNING id"
_ONE_GONE = (
    "UPDATE sns_topics SET version = version + 1, deleted_subscriptions = deleted_subscriptions + 1 WHERE id = $1"
)

_OF_TOPIC = "SELECT * FROM sns_subscriptions WHERE topic_id = $1 AND confirmed"
_PAGE_OF_TOPIC = """
SELECT * FROM sns_subscriptions WHERE topic_id = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
"""
_PAGE = """
SELECT * FROM sns_subscriptions WHERE account_id = $1 AND region = $2 AND ($3::uuid IS NULL OR id > $3)
ORDER BY id LIMIT $4
"""
_SUBSCRIPTION = "SELECT * FROM sns_subscriptions WHERE id = $1 AND topic_arn = $2"
_BY_ID = "SELECT * FROM sns_subscriptions WHERE id = $1"
_BY_ENDPOINT = "SELECT * FROM sns_subscriptions WHERE topic_id = $1 AND protocol = $2 AND endpoint = $3"
_BY_TOKEN = "SELECT * FROM sns_subscriptions WHERE token = $1"  # noqa: S105
_INSERT_SUBSCRIPTION = """
INSERT INTO sns_subscriptions (id, topic_id, topic_arn, account_id, region, protocol, endpoint, attributes, principal,
  confirmed, authenticated, token)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING RETURNING id
"""
_SET_SUBSCRIPTION = "UPDATE sns_subscriptions SET attributes = $2 WHERE id = $1"
_CONFIRM = "UPDATE sns_subscriptions SET confirmed = true, authenticated = $2, only_by_owner = $3 WHERE id = $1"
_UNSUBSCRIBE = "DELETE FROM sns_subscriptions WHERE id = $1 RETURNING topic_id"


async def topic(db: Unit, account_id: str, region: str, name: str) -> Any:
    """A topic by its name, or None."""
    return await db.cached_row(_TOPIC, account_id, region, name)


async def lock_topic(db: Unit, id: int) -> Any:
    """A topic's row, held against other changes; None when it is gone."""
    return await db.fetchrow(_LOCK_TOPIC, id)


async def insert_topic(
    ctx: Context,
    name: str,
    *,
    fifo: bool,
    attributes: Mapping[str, str],
    tags: Mapping[str, str],
    data_protection: str | None,
) -> bool:
    """Make a topic; False when the name is taken."""
    made = await ctx.db.fetchval(
        _INSERT_TOPIC, ctx.account_id, ctx.region, name, fifo, dict(attributes), dict(tags), data_protection
    )
    return made is not None


async def delete_topic(db: Unit, account_id: str, region: str, name: str) -> int | None:
    """Delete a topic's row and answer its number. Its subscriptions stay for a while, as orphans."""
    found: int | None = await db.fetchval(_DELETE_TOPIC, account_id, region, name)
    return found


async def topics(ctx: Context, after: str | None, limit: int) -> list[str]:
    """Names of the caller's topics, in byte order."""
    return [row["name"] for row in await ctx.db.fetch(_TOPICS, ctx.account_id, ctx.region, after, limit)]


async def counts(db: Unit, topic_id: int) -> Any:
    """How many subscriptions are confirmed and pending."""
    return await db.fetchrow(_COUNTS, topic_id)


async def set_attributes(db: Unit, topic_id: int, attributes: Mapping[str, str]) -> None:
    await db.execute(_SET_ATTRIBUTES, topic_id, dict(attributes))


async def set_tags(db: Unit, topic_id: int, tags: Mapping[str, str]) -> None:
    await db.execute(_SET_TAGS, topic_id, dict(tags))


async def set_data_protection(db: Unit, topic_id: int, policy: str | None) -> None:
    await db.execute(_SET_PROTECTION, topic_id, policy)


async def confirmed(db: Unit, topic_id: int) -> list[Any]:
    """The subscriptions that messages go to."""
    return await db.fetch(_OF_TOPIC, topic_id)


async def page_of_topic(db: Unit, topic_id: int, after: UUID | None, limit: int) -> list[Any]:
    """Subscriptions of a topic, by id."""
    return await db.fetch(_PAGE_OF_TOPIC, topic_id, after, limit)


async def page(ctx: Context, after: UUID | None, limit: int) -> list[Any]:
    """The caller's subscriptions, by id."""
    return await ctx.db.fetch(_PAGE, ctx.account_id, ctx.region, after, limit)


async def subscription(db: Unit, id: UUID, topic_arn: str) -> Any:
    """A subscription by the two parts of its ARN, or None."""
    return await db.cached_row(_SUBSCRIPTION, id, topic_arn)


async def subscription_by_id(db: Unit, id: UUID) -> Any:
    return await db.fetchrow(_BY_ID, id)


async def subscription_to(db: Unit, topic_id: int, protocol: str, endpoint: str) -> Any:
    """The one subscription of an endpoint, or None."""
    return await db.fetchrow(_BY_ENDPOINT, topic_id, protocol, endpoint)


async def subscription_of_token(db: Unit, token: str) -> Any:
    return await db.fetchrow(_BY_TOKEN, token)


async def insert_subscription(db: Unit, topic_id: int, values: Sequence[Any]) -> bool:
    """Make a subscription of: id, topic's ARN, account, region, protocol, endpoint, attributes, principal, confirmed,
    authenticated, token. False when the endpoint has one."""
    id, *rest = values
    made = await db.fetchval(_INSERT_SUBSCRIPTION, id, topic_id, *rest)
    return made is not None and await db.fetchval(_CHANGED, topic_id) is not None


async def set_subscription(db: Unit, id: UUID, topic_id: int, attributes: Mapping[str, str]) -> None:
    await db.execute(_SET_SUBSCRIPTION, id, dict(attributes))
    await db.execute(_CHANGED, topic_id)


async def confirm(db: Unit, id: UUID, topic_id: int, *, authenticated: bool, only_by_owner: bool) -> None:
    await db.execute(_CONFIRM, id, authenticated, only_by_owner)
    await db.execute(_CHANGED, topic_id)


async def unsubscribe(db: Unit, id: UUID) -> None:
    """Delete a subscription, if it is there."""
    topic_id = await db.fetchval(_UNSUBSCRIBE, id)
    if topic_id is not None:
        await db.execute(_ONE_GONE, topic_id)
