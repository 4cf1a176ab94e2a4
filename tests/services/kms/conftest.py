"""What KMS's tests share."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import pytest
from botocore.exceptions import ClientError

from controlplane.settings import Settings
from tests.cloud import Account, Cloud

SYMMETRIC = "SYMMETRIC_DEFAULT"


@pytest.fixture
def kms(account: Account) -> Any:
    """KMS as the root of a fresh account."""
    return account.client("kms")


@pytest.fixture
def key(kms: Any) -> dict[str, Any]:
    """A symmetric key."""
    return dict(kms.create_key()["KeyMetadata"])


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    """Error code and message with which a call is refused."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    found = error.value.response["Error"]
    return str(found["Code"]), str(found["Message"])


def in_database(cloud: Cloud, sql: str, *arguments: Any) -> None:
    """Do to the cloud's database what time would do."""

    async def run() -> None:
        connection = await asyncpg.connect(Settings(home=cloud.home).database)
        await connection.execute(sql, *arguments)
        await connection.close()

    with ThreadPoolExecutor(1) as thread:  # asyncio.run wants a thread without a running loop
        thread.submit(asyncio.run, run()).result()
