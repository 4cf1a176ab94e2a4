"""What is kept of guests' questions. That they come to buckets is proven with guests (tests/e2e)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from controlplane.core.context import Unit
from controlplane.services.route53resolver import query_logs, reconcilers
from controlplane.state.database import Database

_QUESTIONS = """
INSERT INTO fleet_dns_queries (vpc_id, document, noted_at)
SELECT vpc, '{}', now() - interval '1 minute' FROM unnest(ARRAY['v', 'v', 'other']) AS vpc
"""
CONFIG = {"account_id": "1", "region": "r", "destination": "arn:aws:s3:::b"}


class Run:
    """As much of a run as the reconciler needs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def step(self) -> AsyncIterator[Unit]:
        async with self._database.unit() as db:
            yield db

    def acting(self, *_: Any) -> None:
        return None


async def test_what_all_have_logged_is_kept_no_longer(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def write(*_: Any) -> None:
        return None

    async def left() -> list[str]:
        async with database.unit() as db:
            return [row["vpc_id"] for row in await db.fetch("SELECT vpc_id FROM fleet_dns_queries ORDER BY id")]

    monkeypatch.setattr(query_logs, "write", write)
    ago = "now() - interval '1 hour'"
    async with database.unit() as db:
        for id in ("c1", "c2"):
            await db.insert("route53resolver_query_logs", **(CONFIG | {"id": id, "request_id": id, "name": id}))
            association = {"id": f"a-{id}", "account_id": "1", "region": "r", "config_id": id, "vpc_id": "v"}
            await db.insert("route53resolver_query_log_vpcs", **association)
        await db.execute(f"UPDATE route53resolver_query_log_vpcs SET created_at = {ago}")
        await db.execute(_QUESTIONS)
    run: Any = Run(database)
    await reconcilers.deliver(run, "a-c1")
    assert await left() == ["v", "v", "other"], "the other log has not got them"
    await reconcilers.deliver(run, "a-c2")
    assert await left() == ["other"]
