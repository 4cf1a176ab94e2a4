"""Deletes every row of an account, in whatever tables there are: the catalog of Postgres says which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any, Protocol

from controlplane.core.context import Unit


class Reader(Protocol):
    """Anything that can run a query."""

    async def fetch(self, sql: str, *args: Any) -> list[Any]: ...


_OWNED = """
SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition
AND a.attname = 'account_id' AND NOT a.attisdropped
"""
_REFERENCES = """
SELECT child.relname AS child, parent.relname AS parent,
  (SELECT array_agg(attname::text ORDER BY place) FROM unnest(k.conkey) WITH ORDINALITY AS n (number, place)
   JOIN pg_attribute ON attrelid = child.oid AND attnum = n.number) AS columns,
  (SELECT array_agg(attname::text ORDER BY place) FROM unnest(k.confkey) WITH ORDINALITY AS n (number, place)
   JOIN pg_attribute ON attrelid = parent.oid AND attnum = n.number) AS keys
FROM pg_constraint k JOIN pg_class child ON child.oid = k.conrelid JOIN pg_class parent ON parent.oid = k.confrelid
WHERE k.contype = 'f' AND child.relnamespace = 'public'::regnamespace
"""


async def erase(db: Unit, account_id: str, *, prefix: str = "", kept: Collection[str] = ()) -> list[str]:
    """Delete the account's rows of all tables (whose names begin with `prefix`) with an `account_id`, and what refers
    to these rows by foreign keys. Answers the tables, in the order in which they were emptied."""
    references = [dict(row) for row in await db.fetch(_REFERENCES)]
    owned = await owned_rows(db, prefix=prefix, kept=kept)
    order = _children_first(set(owned), references)
    for name in order:
        await db.execute(f"DELETE FROM {name} WHERE {owned[name]}", account_id)
    return order


async def owned_rows(db: Reader, *, prefix: str = "", kept: Collection[str] = ()) -> dict[str, str]:
    """The condition that picks an account's (`$1`) rows, for each table that may have some."""
    tables = {row["name"] for row in await db.fetch(_OWNED)}
    references = [dict(row) for row in await db.fetch(_REFERENCES)]
    found = {name: "account_id = $1" for name in tables if name.startswith(prefix) and name not in kept}
    _spread(found, tables, references)
    return found


def _spread(doomed: dict[str, str], owned: set[str], references: list[dict[str, Any]]) -> None:
    """Add the tables without an `account_id` that refer to doomed rows, at whatever distance."""
    while True:
        found: dict[str, list[str]] = defaultdict(list)
        for reference in references:
            child, parent = reference["child"], reference["parent"]
            if parent in doomed and child not in doomed and child not in owned:
                columns = ", ".join(reference["columns"])
                keys = ", ".join(reference["keys"])
                found[child].append(f"({columns}) IN (SELECT {keys} FROM {parent} WHERE {doomed[parent]})")
        if not found:
            return
        doomed.update({child: " OR ".join(conditions) for child, conditions in found.items()})


def _children_first(tables: set[str], references: list[dict[str, Any]]) -> list[str]:
    """The tables, each before those that it refers to."""
    parents: dict[str, set[str]] = defaultdict(set)
    for reference in references:
        if reference["child"] in tables and reference["parent"] in tables - {reference["child"]}:
            parents[reference["child"]].add(reference["parent"])
    order: list[str] = []
    left = set(tables)
    while left:
        free = sorted(name for name in left if not any(name in parents[other] for other in left))
        for name in free or sorted(left):  # a circle of foreign keys: Postgres says so if it matters
            order.append(name)
            left.discard(name)
    return order
