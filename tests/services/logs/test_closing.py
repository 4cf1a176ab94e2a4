"""What deleted groups, and closed accounts, leave: nothing."""

from __future__ import annotations

from tests.cloud import Account, Cloud
from tests.services.budgets.conftest import in_database
from tests.services.logs.conftest import Group, now

_GROUP = "SELECT id FROM logs_groups WHERE account_id = $1 AND name = $2"
_BATCHES = "SELECT count(*) AS count FROM logs_batches WHERE group_id = $1"

_LATE = """
INSERT INTO logs_batches (group_id, stream_id, first_at, last_at, ingested_at, size, content)
VALUES ($1, 1, 0, 0, 0, 1, '')
"""
"""As by a request that was let in before the account was closed."""


def batches(cloud: Cloud, id: int) -> int:
    [row] = in_database(cloud, _BATCHES, id)
    return int(row["count"])


def test_nothing_is_left(group: Group, account: Account, cloud: Cloud) -> None:
    other = Group(group.client, f"{group.name}/deleted")
    group.client.create_log_group(logGroupName=other.name)
    other.stream()
    ids = [in_database(cloud, _GROUP, account.id, one.name)[0]["id"] for one in (group, other)]
    for one in (group, other):
        for number in range(3):
            one.put([(now(), str(number))])
    assert [batches(cloud, id) for id in ids] == [3, 3]
    group.client.delete_log_group(logGroupName=other.name)
    cloud.wait_until(lambda: batches(cloud, ids[1]) == 0)
    assert batches(cloud, ids[0]) == 3
    cloud.celaje("account", "close", account.id, "--yes")
    cloud.wait_until(lambda: batches(cloud, ids[0]) == 0)
    cloud.wait_until(lambda: in_database(cloud, _GROUP, account.id, group.name) == [])
    in_database(cloud, _LATE, ids[0])
    cloud.wait_until(lambda: batches(cloud, ids[0]) == 0)
