"""Credentials and policies of principals, cached per worker.

The cache is exact because every change announces itself (`announce`) in its own transaction: Postgres delivers the
notification with the commit. While the listening connection is down nothing is cached.
"""

from __future__ import annotations

import json
import logging
import weakref
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

from controlplane.access import queries, sigv4
from controlplane.access.callers import caller_of
from controlplane.access.policy.evaluate import NO_POLICIES, PolicySet, PrincipalPolicies
from controlplane.access.policy.parse import Policy, compile_policy
from controlplane.access.policy.principals import Caller
from controlplane.access.regions import OPT_IN
from controlplane.core.context import Unit
from controlplane.core.principal import Principal
from controlplane.state.listen import Listener
from controlplane.state.sealing import Sealer, SealError

log = logging.getLogger("celaje.access")

CHANNEL = "celaje_access"
EVERY_ACCOUNT = "*"
SECRET = "access-key"  # noqa: S105 (the name of a purpose, not a secret)
_LIMIT = 4096
_SIGNING_KEYS = 32
_WITHOUT_POLICIES = frozenset({"service", "web-identity", "anonymous"})

T = TypeVar("T")


class PrincipalGone(Exception):
    """The user or role behind valid credentials exists no more."""


@dataclass(slots=True)
class Credential:
    """A long-term access key or a session's key: whom it stands for and the means to check its signatures."""

    principal: Principal
    secret: str
    _keys: dict[tuple[str, str, str], bytes] = field(default_factory=dict)

    def signing_key(self, date: str, region: str, service: str) -> bytes:
        """The key for one day, region and service; the last 32 are kept."""
        scope = date, region, service
        key = self._keys.get(scope)
        if key is None:
            if len(self._keys) >= _SIGNING_KEYS:
                self._keys.clear()
            key = self._keys[scope] = sigv4.signing_key(self.secret, *scope)
        return key


@dataclass(frozen=True, slots=True)
class Holdings:
    """A user's or role's tags and compiled policies."""

    tags: dict[str, str]
    policies: PolicySet
    boundary: PolicySet | None


@dataclass(frozen=True, slots=True)
class OrganizationPolicies:
    """Where an account stands: its organization, its path in it (`o-…/r-…/ou-…/`) and the levels of policies above it.

    All are empty outside an organization. A closed account is `closed`, whatever else is known of it; `regions` are the
    opt-in regions that it has enabled.
    """

    id: str = ""
    path: str = ""
    closed: bool = False
    regions: frozenset[str] = frozenset()
    service_control: tuple[PolicySet, ...] = ()
    resource_control: tuple[PolicySet, ...] = ()


NO_ORGANIZATION = OrganizationPolicies()


@dataclass(frozen=True, slots=True)
class Standing:
    """All that a decision must know of a principal."""

    caller: Caller
    policies: PrincipalPolicies
    tags: Mapping[str, str]
    organization: OrganizationPolicies


_LIVE: weakref.WeakSet[Principals] = weakref.WeakSet()


async def announce(db: Unit, account_id: str) -> None:
    """Tell every worker that something of an account's identities, keys or policies changed, when this is committed.

    This worker knows at once: its own cache is dropped before the caller gets its answer.
    """

    def forget() -> None:
        for principals in _LIVE:
            principals.forget(account_id)

    await db.notify(CHANNEL, account_id)
    db.after_commit(forget)


class Principals:
    """The cache. One per process; `listener` must be started by its owner."""

    def __init__(self, database: queries.Reader, sealer: Sealer, listener: Listener) -> None:
        self._database = database
        self._sealer = sealer
        self._listener = listener
        self._cached: OrderedDict[tuple[str, str], tuple[str, Any]] = OrderedDict()
        self._standings: dict[int, tuple[Principal, Standing]] = {}
        self._changes = 0
        listener.subscribe(CHANNEL, self.forget, on_lost=self.forget_all, on_back=self.forget_all)
        _LIVE.add(self)

    def forget(self, account_id: str) -> None:
        """Drop what is cached of an account, or everything."""
        if account_id == EVERY_ACCOUNT:
            self.forget_all()
            return
        self._changes += 1
        self._standings.clear()
        for key in [key for key, (owner, _) in self._cached.items() if owner == account_id]:
            del self._cached[key]

    def forget_all(self) -> None:
        """Drop everything."""
        self._changes += 1
        self._standings.clear()
        self._cached.clear()

    async def credential(self, access_key_id: str) -> Credential | None:
        """A long-term access key that is active; None for all others."""
        return await self._get("key", access_key_id, self._load_credential)

    async def holdings(self, identity_id: str) -> Holdings:
        """Policies of a user or role. Raises PrincipalGone."""
        found = await self._get("identity", identity_id, self._load_holdings)
        if found is None:
            raise PrincipalGone(identity_id)
        return found

    async def organization(self, account_id: str) -> OrganizationPolicies:
        """Policies above an account."""
        return await self._get("organization", account_id, self._load_organization) or OrganizationPolicies()

    async def may_use_region(self, account_id: str, region: str) -> bool:
        """Whether an account has enabled a region; only those that must be opted in to cost a look."""
        return region not in OPT_IN or region in (await self.organization(account_id)).regions

    async def is_closed(self, account_id: str) -> bool:
        """Whether an account was closed, so that no credentials of it are good any more."""
        return (await self.organization(account_id)).closed

    async def standing(self, principal: Principal) -> Standing:
        """All of a principal together, worked out once for the object that its credentials have; after any change of
        whatever account anew. Raises PrincipalGone."""
        known = self._standings.get(id(principal))
        if known is not None and known[0] is principal:
            return known[1]
        changes = self._changes
        policies, tags = await self.policies(principal), await self.tags(principal)
        standing = Standing(caller_of(principal), policies, tags, await self.organization(principal.account_id))
        exact = changes == self._changes and self._listener.connected
        # Others than those with keys are made for a call; what `policy_arns` names is read each time.
        if exact and principal.access_key_id is not None and not principal.session.get("policy_arns"):
            if len(self._standings) >= _LIMIT:
                self._standings.clear()
            self._standings[id(principal)] = principal, standing
        return standing

    async def tags(self, principal: Principal) -> dict[str, str]:
        """The tags that `aws:PrincipalTag` speaks of: those of the user or role, and over them the session's.

        Raises PrincipalGone.
        """
        issuer = principal.session.get("issuer_id") or principal.user_id
        if principal.kind in _WITHOUT_POLICIES or principal.is_root or issuer == principal.account_id:
            return dict(principal.session.get("tags", {}))
        own = (await self.holdings(issuer)).tags
        return {**own, **principal.session.get("tags", {})}

    async def policies(self, principal: Principal) -> PrincipalPolicies:
        """All that empowers and limits a principal. Raises PrincipalGone."""
        organization = await self.organization(principal.account_id)
        if principal.kind in _WITHOUT_POLICIES:
            return PrincipalPolicies()
        session = await self._session_policies(principal)
        if principal.kind == "root":
            return PrincipalPolicies(session=session, service_control=organization.service_control)
        issuer = principal.session.get("issuer_id") or principal.user_id
        if issuer == principal.account_id:  # root's federated users have what their own policies say
            return PrincipalPolicies(session or NO_POLICIES, None, session, organization.service_control)
        holdings = await self.holdings(issuer)
        return PrincipalPolicies(holdings.policies, holdings.boundary, session, organization.service_control)

    async def _session_policies(self, principal: Principal) -> PolicySet | None:
        documents, arns = principal.session.get("policies"), principal.session.get("policy_arns")
        if not documents and not arns and principal.kind != "federated-user":
            return None
        policies = [_compiled(document, f"session policy {n}") for n, document in enumerate(documents or (), start=1)]
        if arns:
            policies += [_compiled(row["document"], row["name"]) for row in await queries.managed(self._database, arns)]
        return PolicySet(policies)

    async def _get(self, kind: str, id: str, load: Callable[[str], Awaitable[tuple[str, T] | None]]) -> T | None:
        key = kind, id
        found = self._cached.get(key)
        if found is not None:
            return found[1]  # type: ignore[no-any-return]
        if not self._listener.connected:
            loaded = await load(id)
            return loaded[1] if loaded else None
        changes = self._changes
        loaded = await load(id)
        if loaded is None:
            return None
        if changes == self._changes and self._listener.connected:
            if len(self._cached) >= _LIMIT:
                self._cached.popitem(last=False)
            self._cached[key] = loaded
        return loaded[1]

    async def _load_credential(self, access_key_id: str) -> tuple[str, Credential] | None:
        row = await queries.access_key(self._database, access_key_id)
        if row is None or row["status"] != "Active":
            return None
        try:
            secret = self._sealer.open(SECRET, row["secret"], access_key_id).decode()
        except SealError:
            log.error("access key %s cannot be opened: sealed by another root key", access_key_id)
            return None
        return row["account_id"], Credential(_principal_of(row), secret)

    async def _load_holdings(self, identity_id: str) -> tuple[str, Holdings] | None:
        row = await queries.identity(self._database, identity_id)
        if row is None:
            return None
        documents = await queries.documents(self._database, identity_id)
        boundary = None
        if row["boundary_arn"] is not None:
            boundary = PolicySet([_compiled(row["boundary"], row["boundary_arn"])])
        policies = PolicySet(_compiled(item["document"], item["name"]) for item in documents)
        return row["account_id"], Holdings(dict(row["tags"]), policies, boundary)

    async def _load_organization(self, account_id: str) -> tuple[str, OrganizationPolicies] | None:
        row = await queries.account(self._database, account_id)
        if row is None:
            return account_id, OrganizationPolicies()
        told = row["organization"] or {}
        return account_id, OrganizationPolicies(
            told.get("id", ""),
            told.get("path", ""),
            row["closed_at"] is not None,
            frozenset(row["regions"]),
            _levels(told.get("service_control", [])),
            _levels(told.get("resource_control", [])),
        )


def _levels(levels: list[list[dict[str, Any]]]) -> tuple[PolicySet, ...]:
    """Levels from the root down, each a list of `{"Arn": …, "Document": …}`."""
    return tuple(
        PolicySet(_compiled(json.dumps(item["Document"]), item["Arn"]) for item in policies) for policies in levels
    )


@lru_cache(maxsize=1024)
def _compiled(document: str, name: str) -> Policy:
    return compile_policy(document, name)


def _principal_of(row: Any) -> Principal:
    account, access_key_id = row["account_id"], row["id"]
    if row["user_id"] is None:
        return Principal("root", account, f"arn:aws:iam::{account}:root", account, "", access_key_id)
    arn = f"arn:aws:iam::{account}:user{row['path']}{row['name']}"
    return Principal("user", account, arn, row["user_id"], row["name"], access_key_id)
