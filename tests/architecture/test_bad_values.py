"""Generated from the registry: every operation, with one member at a time holding what it should not, by somebody who
may do everything and has something of each service: no answer of 5xx but 501, no hang, no broken connection."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from controlplane.gateway.registry import Registry
from tests.architecture import belongings
from tests.cloud import Account, Cloud, at_its_address
from tests.wire.generate import Generator

SERVICES = sorted((entry.name, entry.model) for entry in Registry.scan().services.values())
LEAVING = {"CloseAccount", "DeleteOrganization", "LeaveOrganization"}
"""What would end the test's own account."""
SLOWEST = 10.0
A_MEMBER = 4
"""So many bad values for each member."""
_NUMBERS = [-1, 0, 2**31, 2**63, -(2**63), 10**30, 1.5, "x"]
BAD: dict[str, list[Any]] = {
    "string": [
        "", " ", "\n", "\x00", "a\x00b", "x" * 70_000, "\N{SNOWMAN}\U0001f600", "\ufffe", "*", "../..", "%00", "null",
        "{}", "-1", "arn:", "arn:::::", "arn:aws:iam::111111111111:user/x", "0" * 12, "$", "'; --", "2026-13-45",
    ],
    "integer": _NUMBERS,
    "long": _NUMBERS,
    "float": [-1.0, 1e308, "NaN", "x"],
    "double": [-1.0, 1e308, "NaN", "x"],
    "boolean": ["maybe", 3],
    "timestamp": [-1, 0, 10**15, "yesterday"],
    "blob": [b"", b"\x00\xff" * 10, b"x" * 5_000],
    "list": [[], [None], ["x"] * 2_000, [""], [{}], {}, "x"],
    "map": [{}, {"": ""}, {"\x00": "x"}, {f"k{n}": "v" for n in range(300)}, [], "x"],
    "structure": [{}, {"Nope": 1}, [], "x"],
}  # fmt: skip


@pytest.fixture(scope="module")
def owner(cloud: Cloud) -> Account:
    """The root user of an account that has something of each service."""
    account = cloud.new_account()
    belongings.fill(account)
    return account


@pytest.mark.parametrize(("service", "model"), SERVICES, ids=[name for name, _ in SERVICES])
def test_no_value_is_too_bad_to_be_refused(owner: Account, service: str, model: str) -> None:
    client = at_its_address(
        boto3.client(
            model,
            region_name="us-east-1",
            endpoint_url=owner.endpoint,
            aws_access_key_id=owner.access_key_id,
            aws_secret_access_key=owner.secret_access_key,
            config=Config(parameter_validation=False, retries={"total_max_attempts": 1}, read_timeout=30),
        )
    )
    given = (
        {"Bucket": client.list_buckets()["Buckets"][0]["Name"], "ExpectedBucketOwner": owner.id}
        if service == "s3"
        else {}
    )
    answers: Counter[int] = Counter()
    wrong = []
    for operation in sorted(Registry.scan().services[service].operations):
        if operation in LEAVING or operation not in client.meta.service_model.operation_names:
            continue
        for where, request in bad_requests(client.meta.service_model.operation_model(operation), given):
            started = time.monotonic()
            status, said = send(client, operation, request)
            answers[status] += 1
            if (status >= 500 and status != 501) or time.monotonic() - started > SLOWEST:
                wrong.append((operation, where, status, said))
    print(service, dict(answers))
    assert wrong[:20] == []
    assert sum(count for status, count in answers.items() if 400 <= status < 500) > answers.total() / 4


def send(client: Any, operation: str, request: dict[str, Any]) -> tuple[int, str]:
    """Status and message of the answer; 0 for what botocore itself cannot send, 599 for none that is one."""
    try:
        client._make_api_call(operation, request)
    except ClientError as error:
        return int(error.response["ResponseMetadata"].get("HTTPStatusCode", 599)), str(error)
    except (ConnectionClosedError, EndpointConnectionError, ReadTimeoutError, ResponseParserError) as error:
        return 599, repr(error)
    except Exception as error:  # whatever botocore's serializers make of such values
        return 0, repr(error)
    return 200, ""


def bad_requests(operation: Any, given: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Requests that would be well formed but for one member, with the path of that. `given` members are there."""
    shape, random = operation.input_shape, Random(operation.name)
    if shape is None:
        return
    good = Generator(random, operation.service_model.resolved_protocol).value(shape)
    good |= {name: value for name, value in given.items() if name in shape.members}
    for path, member in places(good, shape):
        values = BAD.get(member.type_name, [])
        for bad in random.sample(values, min(A_MEMBER, len(values))):
            yield f"{'.'.join(map(str, path))}={bad!r:.40}", with_value(good, path, bad)


def places(value: Any, shape: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """All members of a value, with their shapes."""
    if path:
        yield path, shape
    if shape.type_name == "structure" and isinstance(value, dict):
        for name in sorted(value.keys() & shape.members.keys()):
            yield from places(value[name], shape.members[name], (*path, name))
    elif shape.type_name == "list" and isinstance(value, list) and value:
        yield from places(value[0], shape.member, (*path, 0))
    elif shape.type_name == "map" and isinstance(value, dict) and value:
        key = next(iter(value))
        yield from places(value[key], shape.value, (*path, key))


def with_value(request: dict[str, Any], path: tuple[Any, ...], bad: Any) -> dict[str, Any]:
    changed = copy.deepcopy(request)
    at: Any = changed
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = bad
    return changed
