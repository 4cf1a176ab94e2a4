"""Every operation of every service denies a user without policies, generated from the registry."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError

from controlplane.core.operation import NoPermissionNeeded, Unauthenticated
from controlplane.gateway.registry import Registry
from controlplane.wire.service import load
from tests.cloud import Account, Cloud
from tests.services.iam.conftest import document, user_with_key
from tests.wire.generate import Generator

DENIALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
OPERATIONS = [
    (entry.name, entry.model, spec.name, isinstance(spec.on, NoPermissionNeeded | Unauthenticated))
    for entry in Registry.scan().services.values()
    for spec in entry.operations.values()
]
# What a random value cannot be: the id or ARN of something that may exist.
GIVEN: dict[tuple[str, str], dict[str, Any]] = {
    ("ec2", "CreateTags"): {"Resources": ["vpc-0123456789abcdef0"]},
    ("ec2", "DeleteTags"): {"Resources": ["vpc-0123456789abcdef0"]},
    ("sts", "AssumeRole"): {"RoleArn": "arn:aws:iam::123456789012:role/some", "RoleSessionName": "session"},
}


@pytest.fixture(scope="module")
def nobody(cloud: Cloud) -> Account:
    """A user of a fresh account that may do nothing."""
    return user_with_key(cloud.new_account(), "nobody")


@pytest.mark.parametrize(
    ("service", "model", "operation"),
    [(service, model, operation) for service, model, operation, free in OPERATIONS if not free],
    ids=lambda value: str(value),
)
def test_denied_without_permission(nobody: Account, service: str, model: str, operation: str) -> None:
    error = _refused(nobody, service, model, operation)
    assert error["Code"] in DENIALS, error
    assert f"User: arn:aws:iam::{nobody.id}:user/nobody is not authorized to perform: " in error["Message"]
    assert "because no " in error["Message"]


def test_only_few_operations_need_no_permission() -> None:
    assert {(service, operation) for service, _, operation, free in OPERATIONS if free} == {
        ("sts", "GetCallerIdentity"),
        ("sts", "GetSessionToken"),
    }


@pytest.mark.parametrize("service", sorted({service for service, _, _, free in OPERATIONS if not free}))
def test_denied_with_every_other_permission(cloud: Cloud, service: str) -> None:
    entry = Registry.scan().services[service]
    guarded = [(model, name) for owner, model, name, free in OPERATIONS if owner == service and not free]
    denied = sorted({entry.action(entry.operations[name]) for _, name in guarded})
    account = cloud.new_account()
    almost = user_with_key(account, "almost", {"Effect": "Allow", "Action": "*", "Resource": "*"})
    iam = account.client("iam")
    for number, actions in enumerate(batched(denied, 100)):
        policy = document({"Effect": "Deny", "Action": actions, "Resource": "*"})
        arn = iam.create_policy(PolicyName=f"no-{number}", PolicyDocument=policy)["Policy"]["Arn"]
        iam.attach_user_policy(UserName="almost", PolicyArn=arn)
    for model, name in guarded:
        assert _refused(almost, service, model, name)["Code"] in DENIALS, name


def batched(items: list[str], size: int) -> list[list[str]]:
    """Lists of at most `size`; a managed policy holds about 6,000 characters."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def _refused(user: Account, service: str, model: str, operation: str) -> dict[str, str]:
    shape = load(model).operation(operation).input_shape
    generator = Generator(Random(operation), load(model).protocols[0])
    parameters = generator.value(shape) if shape is not None else {}
    parameters |= GIVEN.get((service, operation), {})
    with pytest.raises(ClientError) as refused:
        user.client(model)._make_api_call(operation, parameters)
    return dict(refused.value.response["Error"])
