"""What IAM's and STS's tests share."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cloud import Account


@pytest.fixture
def iam(account: Account) -> Any:
    """IAM as the root of a fresh account."""
    return account.client("iam")


def document(*statements: dict[str, Any]) -> str:
    """A policy of the current version."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def trust(principal: dict[str, Any], **more: Any) -> str:
    """A trust policy."""
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more})


def user_with_key(account: Account, name: str, *statements: dict[str, Any]) -> Account:
    """A user with an inline policy (unless there are no statements) and a key, as something that makes clients."""
    iam = account.client("iam")
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="inline", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Account(account.endpoint, account.id, key["AccessKeyId"], key["SecretAccessKey"])
