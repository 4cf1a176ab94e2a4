"""A group with a stream, and events for it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud import Account

HOUR = 3_600_000


def now() -> int:
    return time.time_ns() // 1_000_000


def code(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value.response["Error"]["Code"])


@dataclass
class Group:
    """A group and a client of its owner."""

    client: Any
    name: str

    def stream(self, name: str = "s") -> str:
        self.client.create_log_stream(logGroupName=self.name, logStreamName=name)
        return name

    def put(self, events: Iterable[tuple[int, str]], stream: str = "s") -> Any:
        told = [{"timestamp": at, "message": message} for at, message in events]
        return self.client.put_log_events(logGroupName=self.name, logStreamName=stream, logEvents=told)

    def get(self, stream: str = "s", **more: Any) -> Any:
        return self.client.get_log_events(logGroupName=self.name, logStreamName=stream, **more)

    def filter(self, **more: Any) -> Any:
        return self.client.filter_log_events(logGroupName=self.name, **more)

    def found(self, **more: Any) -> list[str]:
        """Messages of all pages of a search."""
        pages = self.client.get_paginator("filter_log_events").paginate(logGroupName=self.name, **more)
        return [event["message"] for page in pages for event in page["events"]]

    def shown(self) -> Any:
        [group] = self.client.describe_log_groups(logGroupNamePrefix=self.name)["logGroups"]
        return group


@pytest.fixture
def group(account: Account) -> Group:
    """Of a fresh account, with the stream `s`."""
    made = Group(account.client("logs"), f"/test/{uuid.uuid4().hex[:8]}")
    made.client.create_log_group(logGroupName=made.name)
    made.stream()
    return made


def messages(answer: Any) -> list[str]:
    return [event["message"] for event in answer["events"]]
