"""Two gateway workers answer as one: what one acknowledged, the other knows."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

from tests.cloud import Account, Cloud

READERS = 6
TURNS = 60


def test_a_reader_on_any_worker_sees_what_was_acknowledged(cloud: Cloud, account: Account) -> None:
    """Each client keeps its own connection, so that they spread over the workers."""
    name = f"u{uuid.uuid4().hex[:8]}"
    writer = account.client("iam")
    readers = [account.client("iam") for _ in range(READERS)]
    writer.create_user(UserName=name)

    def team(client: object) -> str:
        tags = client.get_user(UserName=name)["User"]["Tags"]  # type: ignore[attr-defined]
        return str(tags[0]["Value"])

    try:
        with ThreadPoolExecutor(READERS) as pool:
            for turn in range(TURNS):
                writer.tag_user(UserName=name, Tags=[{"Key": "turn", "Value": str(turn)}])
                assert set(pool.map(team, readers)) == {str(turn)}
    finally:
        writer.delete_user(UserName=name)
