"""Writes down, behind the requests, what was decided and which keys were used.

Every denial is kept, allowances as far as a budget goes; both wait in memory for half a second, so that the hot path
never waits for the disk. What is lost with a killed worker is a note, never an effect.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg

from controlplane.access.policy.decision import Decision
from controlplane.access.policy.evaluate import PolicySet, PrincipalPolicies, Question
from controlplane.core.errors import ServiceUnavailable
from controlplane.core.principal import Principal
from controlplane.state.database import Database

log = logging.getLogger("celaje.access")

_PAUSE = 0.5
_WAITING = 10_000
_ALLOWED_PER_FLUSH = 25
_BATCH = 500
_MOST_CONDITIONS = 50
_LONGEST_VALUE = 256
_KEEP = "7 days"
_FLUSHES_PER_CLEANING = 1200

_INSERT = """
INSERT INTO access_decisions (request_id, at, account_id, principal, action, resource, allowed, details)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_USED = """
UPDATE access_keys SET last_used_at = $2, last_used_region = $3, last_used_service = $4 WHERE id = $1
"""
_ROLE_USED = "UPDATE access_identities SET last_used_at = $2, last_used_region = $3 WHERE id = $1"
_SERVICE_USED = """
INSERT INTO access_service_uses (identity_id, prefix, account_id, region, at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (identity_id, prefix) DO UPDATE SET region = excluded.region, at = excluded.at
"""
_CLEAN = f"DELETE FROM access_decisions WHERE at < now() - interval '{_KEEP}'"


@dataclass(frozen=True, slots=True)
class Made:
    """A decision as it was made; what is written of it is worked out later."""

    request_id: str
    at: datetime
    account_id: str
    question: Question
    policies: PrincipalPolicies
    decision: Decision


class Recorder:
    """One per process. `start` and `stop` by its owner; what waits is written at `stop`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[Made] = deque(maxlen=_WAITING)
        self._allowed = 0
        self._keys: dict[str, tuple[datetime, str, str]] = {}
        self._roles: dict[str, tuple[datetime, str]] = {}
        self._services: dict[tuple[str, str], tuple[str, str, datetime]] = {}
        self._task: asyncio.Task[None] | None = None

    def decided(
        self, request_id: str, account_id: str, question: Question, policies: PrincipalPolicies, decision: Decision
    ) -> None:
        """Keep a decision."""
        if decision.allowed:
            if self._allowed >= _ALLOWED_PER_FLUSH:
                return
            self._allowed += 1
        self._waiting.append(Made(request_id, datetime.now(UTC), account_id, question, policies, decision))

    def used(self, principal: Principal, region: str, service: str) -> None:
        """Note the use of a long-term key, or of the role behind a session, and the service that was called."""
        now = datetime.now(UTC)
        identity = principal.session.get("issuer_id") or principal.user_id
        self._services[identity, service] = principal.account_id, region, now
        if not principal.session and principal.access_key_id is not None:
            self._keys[principal.access_key_id] = now, region, service
        elif principal.kind == "assumed-role":
            self._roles[principal.session["issuer_id"]] = now, region

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.flush()

    async def _run(self) -> None:
        flushes = 0
        while True:
            await asyncio.sleep(_PAUSE)
            try:
                await self.flush()
            except Exception:
                log.exception("notes of decisions could not be written")
            flushes += 1
            if flushes % _FLUSHES_PER_CLEANING == 0:
                await self._write([(_CLEAN, [()])])

    async def flush(self) -> None:
        """Write what waits. When Postgres is away it is dropped: the log says so."""
        made = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
        keys, self._keys = self._keys, {}
        roles, self._roles = self._roles, {}
        services, self._services = self._services, {}
        self._allowed = 0
        statements: list[tuple[str, list[tuple[Any, ...]]]] = [
            (_INSERT, [_row(item) for item in made]),
            (_USED, [(id, *use) for id, use in sorted(keys.items())]),
            (_ROLE_USED, [(id, *use) for id, use in sorted(roles.items())]),
            (_SERVICE_USED, [(*key, *use) for key, use in sorted(services.items())]),
        ]
        await self._write([(sql, rows) for sql, rows in statements if rows])

    async def _write(self, statements: list[tuple[str, list[tuple[Any, ...]]]]) -> None:
        if not statements:
            return
        try:
            async with self._database.unit() as db:
                for sql, rows in statements:
                    await db.executemany(sql, rows)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ServiceUnavailable) as error:
            log.warning("%d notes of decisions and uses were dropped: %r", sum(len(r) for _, r in statements), error)


def _row(made: Made) -> tuple[Any, ...]:
    question = made.question
    return (
        made.request_id,
        made.at,
        made.account_id,
        _storable(question.caller.arn) or "anonymous",
        question.action,
        _storable(question.target.arn[:2048]),
        made.decision.allowed,
        details_of(made),
    )


def details_of(made: Made) -> dict[str, Any]:
    """Everything that `celaje explain` tells: the policies asked, the deciding statement, the condition values."""
    statement, policies = made.decision.statement, made.policies
    return {
        "reason": made.decision.reason(made.question.action),
        "kind": made.decision.kind,
        "statement": None
        if statement is None
        else {"policy": statement.policy, "sid": statement.sid, "index": statement.index, "allow": statement.allow},
        "owner": made.question.target.account,
        "policies": {
            kind: [policy.name for policy in asked.policies] for kind, asked in _asked(made.question, policies)
        },
        "conditions": _condition_values(made.question, policies),
    }


def _asked(question: Question, policies: PrincipalPolicies) -> list[tuple[str, PolicySet]]:
    levels = [
        (f"service control policy, level {n}", level) for n, level in enumerate(policies.service_control, start=1)
    ]
    levels += [
        (f"resource control policy, level {n}", level)
        for n, level in enumerate(question.target.resource_control, start=1)
    ]
    rest = [
        (question.resource_kind.value, question.target.policy),
        ("identity-based policy", policies.identity),
        ("permissions boundary", policies.boundary),
        ("session policy", policies.session),
    ]
    return levels + [(kind, asked) for kind, asked in rest if asked is not None]


def _condition_values(question: Question, policies: PrincipalPolicies) -> dict[str, Any]:
    """The request's values of the keys that the statements about this action ask for; null where it had none."""
    action = question.action.lower()
    keys = {
        condition.key
        for _, asked in _asked(question, policies)
        for statements in asked.covering(action)
        for statement in statements
        for condition in statement.conditions
    }
    return {key: _shortened(question.context.get(key.lower())) for key in sorted(keys)[:_MOST_CONDITIONS]}


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return _storable(value[:_LONGEST_VALUE])
    return [_shortened(item) for item in value[:_MOST_CONDITIONS]] if isinstance(value, list) else value


def _storable(text: str) -> str:
    """Without what Postgres cannot hold, so that no caller can spoil the notes about others in its batch."""
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()
