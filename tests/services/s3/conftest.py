"""A bucket of its own for each test."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.cloud import Account


@pytest.fixture
def s3(account: Account) -> Any:
    return account.client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"test-{uuid.uuid4().hex[:16]}"
    s3.create_bucket(Bucket=name)
    return name
