"""Every operation denies: the calls are generated from the registry, so no operation can be forgotten."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from controlplane.core.operation import NoPermissionNeeded, Unauthenticated
from controlplane.gateway.registry import Registry
from controlplane.wire.service import load
from tests.cloud import Account
from tests.wire.generate import Generator

REGISTRY = Registry.scan()
OPEN = {
    ("sts", "GetCallerIdentity"),
    ("sts", "GetSessionToken"),
}
"""Operations that AWS lets everybody with credentials call. Adding one is a decision, made here."""
GUARDED = [
    (entry.name, spec.name)
    for entry in REGISTRY.services.values()
    for spec in entry.operations.values()
    if not isinstance(spec.on, NoPermissionNeeded | Unauthenticated)
]
PARAMETERS = {("sts", "AssumeRole"): {"RoleArn": "arn:aws:iam::123456789012:role/none", "RoleSessionName": "session"}}
"""Where AWS looks at a parameter's form before it asks whether the caller may."""
DENIALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}


def test_open_operations_are_the_known_ones() -> None:
    every = {(entry.name, name) for entry in REGISTRY.services.values() for name in entry.operations}
    assert every - set(GUARDED) == OPEN


@pytest.fixture(scope="module")
def strangers(cloud: Any) -> tuple[Account, dict[str, Account]]:
    """An account, and in it a user without any policy."""
    account = cloud.new_account()
    return account, {"nothing": _user(account, "nothing")}


def _user(account: Account, name: str, policy: dict[str, Any] | None = None) -> Account:
    iam = account.client("iam")
    iam.create_user(UserName=name)
    if policy is not None:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Account(account.endpoint, account.id, key["AccessKeyId"], key["SecretAccessKey"])


def _least_parameters(service: str, operation: str) -> dict[str, Any]:
    if (service, operation) in PARAMETERS:
        return PARAMETERS[service, operation]
    model = load(REGISTRY.services[service].model)
    shape = model.operation(operation).input_shape
    if shape is None:
        return {}
    generator = Generator(Random(f"{service}.{operation}"), model.protocols[0])
    return {name: generator.value(shape.members[name], 1) for name in shape.required_members}


def _answer(user: Account, service: str, operation: str) -> str:
    client = user.client(REGISTRY.services[service].model)
    client.meta.config.merge(Config(parameter_validation=False))
    method = {name: key for key, name in client.meta.method_to_api_mapping.items()}[operation]
    try:
        getattr(client, method)(**_least_parameters(service, operation))
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "allowed"


@pytest.mark.parametrize(("service", "operation"), GUARDED)
def test_user_without_policy_is_denied(
    strangers: tuple[Account, dict[str, Account]], service: str, operation: str
) -> None:
    assert _answer(strangers[1]["nothing"], service, operation) in DENIALS


@pytest.mark.parametrize("service", sorted({service for service, _ in GUARDED}))
def test_user_allowed_everything_else_is_denied(cloud: Any, service: str) -> None:
    account = cloud.new_account()
    entry = REGISTRY.services[service]
    actions = sorted({entry.action(spec) for name, spec in entry.operations.items() if (service, name) in GUARDED})
    deny = {"Effect": "Deny", "Action": actions, "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}, deny]}
    user = _user(account, "almost", policy)
    for name in entry.operations:
        if (service, name) in GUARDED:
            assert _answer(user, service, name) in DENIALS, name
