"""The SQL of Budgets."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from controlplane.core.context import Unit

_FIND = "SELECT * FROM budgets_budgets WHERE account_id = $1 AND name = $2"
_ALL = "SELECT * FROM budgets_budgets WHERE account_id = $1 AND name > $2 ORDER BY name LIMIT $3"
_INSERT = """
INSERT INTO budgets_budgets (account_id, name, content, starts_at, ends_at, tags) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING RETURNING true
"""
_UPDATE = """
UPDATE budgets_budgets SET content = $3, starts_at = $4, ends_at = $5, updated_at = now()
WHERE account_id = $1 AND name = $2
"""
_MEASURED = """
UPDATE budgets_budgets SET period = $3, actual = $4, forecast = $5, budgeted = $6 WHERE account_id = $1 AND name = $2
"""
_DELETE = (
    "DELETE FROM budgets_messages WHERE account_id = $1 AND budget = $2",
    "DELETE FROM budgets_action_histories WHERE account_id = $1 AND action_id IN "
    "(SELECT id FROM budgets_actions WHERE account_id = $1 AND budget = $2)",
    "DELETE FROM budgets_budgets WHERE account_id = $1 AND name = $2",
)
_NOTIFICATIONS = "SELECT * FROM budgets_notifications WHERE account_id = $1 AND budget = $2 ORDER BY id"
_NOTIFICATION = """
SELECT * FROM budgets_notifications WHERE account_id = $1 AND budget = $2
AND type = $3 AND operator = $4 AND threshold = $5 AND threshold_type = $6
"""
_ACTIONS = """
SELECT * FROM budgets_actions WHERE account_id = $1 AND ($2::text IS NULL OR budget = $2) AND id > $3
ORDER BY id LIMIT $4
"""
_ACTION = "SELECT * FROM budgets_actions WHERE account_id = $1 AND budget = $2 AND id = $3"
_HISTORIES = """
SELECT * FROM budgets_action_histories WHERE account_id = $1 AND action_id = $2 AND id < $3
AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5) ORDER BY id DESC LIMIT $6
"""


async def find(db: Unit, account_id: str, name: str) -> Any:
    return await db.fetchrow(_FIND, account_id, name)


async def lock(db: Unit, account_id: str, name: str) -> Any:
    """A budget, with nobody else at it until the end of the transaction."""
    return await db.fetchrow(f"{_FIND} FOR UPDATE", account_id, name)


async def page(db: Unit, account_id: str, after: str, limit: int) -> list[Any]:
    """Budgets by name."""
    return await db.fetch(_ALL, account_id, after, limit)


async def insert(db: Unit, *values: Any) -> bool:
    """False when there is one of that name."""
    return bool(await db.fetchval(_INSERT, *values))


async def update(db: Unit, *values: Any) -> None:
    await db.execute(_UPDATE, *values)


async def measured(db: Unit, row: Any, period: datetime, actual: float, forecast: float, budgeted: float) -> None:
    """Keep where a budget stands."""
    await db.execute(_MEASURED, row["account_id"], row["name"], period, actual, forecast, budgeted)


async def delete(db: Unit, row: Any) -> None:
    """Delete a budget with all that belongs to it."""
    for statement in _DELETE:
        await db.execute(statement, row["account_id"], row["name"])


async def notifications(db: Unit, account_id: str, budget: str) -> list[Any]:
    """All of a budget, at most ten."""
    return await db.fetch(_NOTIFICATIONS, account_id, budget)


async def notification(db: Unit, account_id: str, budget: str, *terms: Any) -> Any:
    """One, by type, operator, threshold and its type."""
    return await db.fetchrow(_NOTIFICATION, account_id, budget, *terms)


async def actions(db: Unit, account_id: str, budget: str | None, after: str = "", limit: int = 1000) -> list[Any]:
    """Actions of a budget, or of all, by id."""
    return await db.fetch(_ACTIONS, account_id, budget, after, limit)


async def action(db: Unit, account_id: str, budget: str, id: str) -> Any:
    return await db.fetchrow(_ACTION, account_id, budget, id)


async def histories(db: Unit, row: Any, before: int, since: Any, until: Any, limit: int) -> list[Any]:
    """What happened to an action, the latest first."""
    return await db.fetch(_HISTORIES, row["account_id"], row["id"], before, since, until, limit)
