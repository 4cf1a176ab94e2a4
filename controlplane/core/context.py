"""What an operation or a reconciler is given: who calls, from where, and the means to act."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from controlplane.core.arn import Arn
from controlplane.core.http import Signed
from controlplane.core.principal import Principal, service_principal

if TYPE_CHECKING:
    from controlplane.core.operation import Resource


class Unit(Protocol):
    """One unit of work over the database. Arguments are `$1`, `$2`, … of the SQL text.

    Plain reads before the first write run outside a transaction; anything else opens one, which the owner of the unit
    (pipeline or work runner) commits.
    """

    async def fetch(self, sql: str, *args: Any) -> list[Any]: ...
    async def fetchrow(self, sql: str, *args: Any) -> Any: ...
    async def fetchval(self, sql: str, *args: Any) -> Any: ...
    async def cached(
        self, sql: str, *args: Any, bulky: bool = False, into: Callable[[Any], Any] | None = None
    ) -> list[Any]: ...
    async def cached_row(
        self, sql: str, *args: Any, bulky: bool = False, into: Callable[[Any], Any] | None = None
    ) -> Any: ...
    async def alone(self, sql: str, *args: Any) -> list[Any]: ...
    async def execute(self, sql: str, *args: Any) -> str: ...
    async def executemany(self, sql: str, args: Sequence[Sequence[Any]]) -> None: ...
    async def insert(self, table: str, **values: Any) -> None: ...
    async def notify(self, channel: str, payload: str) -> None: ...
    def after_commit(self, callback: Callable[[], Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class Cloud:
    """What services may know of the cloud's own settings."""

    regions: tuple[str, ...]
    public_range: IPv4Network
    quota_auto_approve: float = 0.0
    price_table: Path | None = None
    new_buckets: str = "private"
    dns_places: Mapping[str, str] = field(default_factory=dict)
    storage_day: float = 86400.0
    """Seconds that a day has for S3 and Glacier."""
    owner_names: bool = False
    """Whether S3 tells names of owners."""
    mail_recipients: str = "any"
    """Whom SES sends to: `any` address or `verified` ones."""
    own_names: tuple[str, ...] = ()
    """Names of the endpoint."""
    gateway_addresses: tuple[str, ...] = ()
    """Where clients outside of VPCs reach the gateway."""
    sms_ceiling: float | None = None
    """USD that text messages of all accounts may cost in a month."""
    sms_sandbox: bool = False
    """Whether text messages go to verified numbers alone."""
    compatibility: Mapping[str, str] = field(default_factory=dict)
    """Services that answer as another implementation of their API does, with its name."""


class Runtime(Protocol):
    """What the gateway lends to services without their importing it."""

    cloud: Cloud

    async def call(self, ctx: Context, service: str, operation: str, request: Mapping[str, Any]) -> Any: ...
    async def ask(self, ctx: Context, service: str, name: str, request: Mapping[str, Any]) -> Any: ...
    async def authorize(self, ctx: Context, action: str, resources: Sequence[Resource]) -> None: ...
    async def pass_role(self, ctx: Context, role_arn: str, service: str) -> None: ...
    async def wake(self, db: Unit, kind: str, key: str, delay: float) -> None: ...
    async def quota(self, ctx: Context, key: str) -> float: ...
    def engine(self, kind: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Answered:
    """How a request from outside ended. `target` is path and query as they were sent, `size` the body's bytes."""

    method: str
    target: str
    status: int
    error: str | None
    size: int
    seconds: float


@dataclass(slots=True)
class Context:
    """One call of one operation. `service` is the name of the service's folder, `model` botocore's.

    `facts` holds condition values and notes that the audit trail keeps.
    """

    request_id: str
    account_id: str
    region: str
    service: str
    operation: str
    principal: Principal
    db: Unit
    runtime: Runtime
    model: str = ""
    source_ip: str = "127.0.0.1"
    source_vpc: str | None = None
    """Set for a guest's call from inside this VPC; `source_ip` is its private address then."""
    user_agent: str = ""
    trace: str = ""
    """The caller's `X-Amzn-Trace-Id`."""
    endpoint: str = ""
    secure: bool = False
    method: str = ""
    """Of the HTTP request, for an operation that answers to several. Empty for calls of services."""
    request: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the HTTP request, in lower case: for what the models leave out (`origin`). Empty for calls of services."""
    signed: Signed | None = None
    """How the request was signed. None for calls of services, and where nothing is signed."""
    answer_headers: dict[str, str] = field(default_factory=dict)
    """Added to the answer, be it a result or an error."""
    answer_status: int | None = None
    """Of a result, where it is not the model's (206 for a part of an object)."""
    when_answered: list[Callable[[Answered], None]] = field(default_factory=list)
    """Called when the answer to a request from outside was sent. Must be quick, and not fail."""
    facts: dict[str, Any] = field(default_factory=dict)
    resources: Sequence[Resource] = ()
    """What permission was asked for, with the rows that were read for asking."""

    @property
    def cloud(self) -> Cloud:
        """Settings that services may know."""
        return self.runtime.cloud

    async def call(self, service: str, operation: str, request: Mapping[str, Any]) -> Any:
        """Call another service's operation as the same caller, in the same transaction, with the same checks.

        Policies see the way: `aws:CalledVia`, `aws:ViaAWSService` and, at KMS, `kms:ViaService`.
        """
        return await self.runtime.call(self, service, operation, request)

    async def ask(self, service: str, name: str, request: Mapping[str, Any]) -> Any:
        """Have another service do what it offers beside its API (`offers.py`), in the same transaction."""
        return await self.runtime.ask(self, service, name, request)

    def as_service(self, name: str, source_arn: str, account_id: str = "") -> Context:
        """The means to call as a service itself (`s3.amazonaws.com`) for the sake of one of its resources.

        Only resource policies that name the service let it in; they see `aws:SourceArn` and `aws:SourceAccount`.
        `account_id` owns the resource, for ARNs that do not say it (S3).
        """
        owner = Arn.parse(source_arn).account or account_id or self.account_id
        return replace(
            self,
            account_id=owner,
            operation="",
            principal=service_principal(name, owner),
            source_ip=name,
            user_agent=name,
            request={},
            headers={},
            signed=None,
            answer_headers={},
            facts={"aws:SourceArn": source_arn, "aws:SourceAccount": owner},
            resources=(),
        )

    async def authorize(self, action: str, *resources: Resource) -> None:
        """Ask the policy engine about a further action. Raises the protocol's access-denied error."""
        await self.runtime.authorize(self, action, resources)

    async def pass_role(self, role_arn: str, service: str) -> None:
        """Check `iam:PassRole` for handing a role to a service, and that the role trusts that service."""
        await self.runtime.pass_role(self, role_arn, service)

    async def within_quota(
        self, key: str, used: Callable[[], Awaitable[float]], error: Callable[[int], Exception], wanted: float = 1
    ) -> float:
        """Raise `error(limit)` when what is `used` and `wanted` together exceed a quota such as `vpc/L-F678F1CE`.

        Answers how much there is room for. From here to the commit no other request of the account counts the same, so
        that none slips by.
        """
        limit, taken = await self.runtime.quota(self, key), await used()
        if taken + wanted > limit:
            raise error(int(limit))
        return limit - taken

    async def wake(self, kind: str, key: str, delay: float = 0.0) -> None:
        """Have a reconciler run for the key, once this transaction commits; `delay` in seconds."""
        await self.runtime.wake(self.db, kind, key, delay)

    def engine(self, kind: str) -> Any:
        """The configured engine of a kind, such as `blobs`."""
        return self.runtime.engine(kind)
