"""What policies see when one service calls another."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any, cast

import pytest

from controlplane.access.authorize import Authorizer
from controlplane.access.trail.recorder import Trail
from controlplane.core.context import Cloud, Context, Unit
from controlplane.core.errors import NotImplementedByCelaje
from controlplane.core.operation import ANY, OperationSpec, Resource
from controlplane.core.principal import Principal
from controlplane.gateway.dispatch import Dispatcher
from controlplane.gateway.registry import Registry, ServiceEntry
from controlplane.work.reconciler import Run

SEEN: list[tuple[str, str, dict[str, Any]]] = []


class Notes:
    """Allows everything and notes what it was asked with."""

    async def authorize(self, ctx: Context, action: str, resources: list[Resource]) -> None:
        SEEN.append((ctx.principal.arn, action, dict(ctx.facts)))


async def forward(ctx: Context, request: Any) -> Any:
    return await ctx.call(request["Next"][0], request["Next"][1], {"Next": request["Next"][2:]})


async def end(ctx: Context, request: Any) -> None: ...


async def notify(ctx: Context, request: Any) -> Any:
    return await ctx.as_service("s3.amazonaws.com", "arn:aws:s3:::mine", "111111111111").call("kms", "Encrypt", {})


def service(name: str, prefix: str, **operations: Any) -> ServiceEntry:
    specs = {title: OperationSpec(title, ANY, None, function) for title, function in operations.items()}
    return ServiceEntry(name, name, "regional", prefix, (), (), (), "bronze", specs)


@pytest.fixture
def dispatcher() -> Dispatcher:
    SEEN.clear()
    registry = Registry(
        [
            service("kms", "kms", Encrypt=end),
            service("s3", "s3", PutObject=forward, PutBucketNotification=notify),
            service("logs", "logs", PutLogEvents=forward),
        ]
    )
    cloud = Cloud(("us-east-1",), IPv4Network("198.18.0.0/24"))
    return Dispatcher(registry, cast(Authorizer, Notes()), {}, cloud, Trail(cast(Any, None)))


def asked(dispatcher: Dispatcher, name: str, operation: str, request: Mapping[str, Any]) -> Context:
    principal = Principal("user", "222222222222", "arn:aws:iam::222222222222:user/ann", "AIDA")
    return Context(
        "id", "222222222222", "eu-west-1", name, operation, principal, cast(Unit, None), dispatcher, request=request
    )


async def test_forwarded_calls_are_the_callers_and_say_the_way(dispatcher: Dispatcher) -> None:
    await forward(asked(dispatcher, "logs", "PutLogEvents", {}), {"Next": ["s3", "PutObject", "kms", "Encrypt"]})
    (first, _, outer), (second, action, inner) = SEEN
    assert first == second == "arn:aws:iam::222222222222:user/ann"
    assert action == "kms:Encrypt"
    assert outer["aws:CalledVia"] == ["logs.amazonaws.com"]
    assert "kms:ViaService" not in outer
    assert inner["aws:CalledVia"] == ["logs.amazonaws.com", "s3.amazonaws.com"]
    assert (inner["aws:CalledViaFirst"], inner["aws:CalledViaLast"]) == ("logs.amazonaws.com", "s3.amazonaws.com")
    assert inner["kms:ViaService"] == "s3.eu-west-1.amazonaws.com"
    assert inner["aws:ViaAWSService"] == "true"


async def test_a_service_calls_for_its_resource(dispatcher: Dispatcher) -> None:
    await notify(asked(dispatcher, "s3", "PutBucketNotification", {}), {})
    assert SEEN == [
        (
            "s3.amazonaws.com",
            "kms:Encrypt",
            {"aws:SourceArn": "arn:aws:s3:::mine", "aws:SourceAccount": "111111111111"},
        )
    ]


async def test_a_reconciler_calls_for_a_resource(dispatcher: Dispatcher) -> None:
    run = Run("key", "id", cast(Any, None), {}, dispatcher)
    topic = "arn:aws:sns:eu-west-1:333333333333:topic"
    acting = run.acting(cast(Unit, None), "sns.amazonaws.com", topic)
    assert (acting.account_id, acting.region) == ("333333333333", "eu-west-1")
    await acting.call("kms", "Encrypt", {})
    seen = ("sns.amazonaws.com", "kms:Encrypt", {"aws:SourceArn": topic, "aws:SourceAccount": "333333333333"})
    assert [seen] == SEEN


async def test_a_service_that_is_not_there_is_not_implemented(dispatcher: Dispatcher) -> None:
    with pytest.raises(NotImplementedByCelaje):
        await asked(dispatcher, "s3", "PutObject", {}).call("sqs", "SendMessage", {})
