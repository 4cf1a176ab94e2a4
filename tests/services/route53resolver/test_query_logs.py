"""What is kept of guests' questions, and how they come into log groups. That guests' own questions come to buckets is
proven with guests (tests/e2e)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from controlplane.core.context import Unit
from controlplane.services.route53resolver import query_logs, reconcilers
from controlplane.state.database import Database
from tests.cloud import Account, Cloud
from tests.services.budgets.conftest import in_database
from tests.services.iam.conftest import user_with_key
from tests.services.logs.conftest import code

_QUESTIONS = """
INSERT INTO fleet_dns_queries (vpc_id, document, noted_at)
SELECT vpc, '{}', now() - interval '1 minute' FROM unnest(ARRAY['v', 'v', 'other']) AS vpc
"""
CONFIG = {"account_id": "1", "region": "r", "destination": "arn:aws:s3:::b"}


class Run:
    """As much of a run as the reconciler needs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def step(self) -> AsyncIterator[Unit]:
        async with self._database.unit() as db:
            yield db

    def acting(self, *_: Any) -> None:
        return None


async def test_what_all_have_logged_is_kept_no_longer(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def write(*_: Any) -> None:
        return None

    async def left() -> list[str]:
        async with database.unit() as db:
            return [row["vpc_id"] for row in await db.fetch("SELECT vpc_id FROM fleet_dns_queries ORDER BY id")]

    monkeypatch.setattr(query_logs, "write", write)
    ago = "now() - interval '1 hour'"
    async with database.unit() as db:
        for id in ("c1", "c2"):
            await db.insert("route53resolver_query_logs", **(CONFIG | {"id": id, "request_id": id, "name": id}))
            association = {"id": f"a-{id}", "account_id": "1", "region": "r", "config_id": id, "vpc_id": "v"}
            await db.insert("route53resolver_query_log_vpcs", **association)
        await db.execute(f"UPDATE route53resolver_query_log_vpcs SET created_at = {ago}")
        await db.execute(_QUESTIONS)
    run: Any = Run(database)
    await reconcilers.deliver(run, "a-c1")
    assert await left() == ["v", "v", "other"], "the other log has not got them"
    await reconcilers.deliver(run, "a-c2")
    assert await left() == ["other"]


async def test_the_oldest_of_too_many_are_dropped_and_told(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcilers, "_MOST_KEPT", 1)
    ours = {"account_id": "1", "region": "r", "vpc_id": "v"}
    async with database.unit() as db:
        await db.execute(_QUESTIONS)
        for id, position in (("c1", 0), ("c2", 10)):
            await db.insert("route53resolver_query_logs", **(CONFIG | {"id": id, "request_id": id, "name": id}))
            await db.insert("route53resolver_query_log_vpcs", id=id, config_id=id, position=position, **ours)
    run: Any = Run(database)
    await reconcilers.forget(run, "*")
    async with database.unit() as db:
        left = [row["vpc_id"] for row in await db.fetch("SELECT vpc_id FROM fleet_dns_queries ORDER BY id")]
        rows = await db.fetch("SELECT dropped, position FROM route53resolver_query_log_vpcs ORDER BY id")
    assert left == ["v", "other"], "another VPC's are not counted"
    assert [tuple(row) for row in rows] == [(1, 1), (0, 10)]


QUESTION = {
    "at": 0.0, "name": "a.test.", "type": "A", "rcode": "NOERROR", "answers": [["10.0.0.1", "A"]],
    "address": "10.0.0.9", "port": 53, "transport": "UDP", "instance": "i-1",
    "action": "", "group": "", "domain_list": "",
}  # fmt: skip


class Logged:
    """A VPC whose questions go to a log group of its own name."""

    def __init__(self, account: Account) -> None:
        self.client, self.logs = account.client("route53resolver"), account.client("logs")
        self.vpc = account.client("ec2").create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
        self.arn = f"arn:aws:logs:us-east-1:{account.id}:log-group:/{self.vpc}"
        self.logs.create_log_group(logGroupName=f"/{self.vpc}")
        self._id = ""

    def associate(self, name: str) -> None:
        made = self.client.create_resolver_query_log_config(
            CreatorRequestId=self.vpc, Name=name, DestinationArn=f"{self.arn}:*"
        )["ResolverQueryLogConfig"]["Id"]
        self._id = self.client.associate_resolver_query_log_config(ResolverQueryLogConfigId=made, ResourceId=self.vpc)[
            "ResolverQueryLogConfigAssociation"
        ]["Id"]

    def ask(self, cloud: Cloud, at: float) -> None:
        """As if a guest had asked, and its host had told, ten seconds ago."""
        document = QUESTION | {"vpc": self.vpc, "at": at}
        in_database(
            cloud,
            "UPDATE route53resolver_query_log_vpcs SET created_at = now() - interval '1 hour' WHERE id = $1",
            self._id,
        )
        in_database(
            cloud,
            "INSERT INTO fleet_dns_queries (vpc_id, document, noted_at) VALUES ($1, $2, now() - interval '10 seconds')",
            self.vpc,
            orjson.dumps(document).decode(),
        )

    def state(self) -> tuple[str, str]:
        named = {"ResolverQueryLogConfigAssociationId": self._id}
        told = self.client.get_resolver_query_log_config_association(**named)["ResolverQueryLogConfigAssociation"]
        return told["Status"], told["Error"]


def test_questions_come_into_a_log_group(account: Account, cloud: Cloud) -> None:
    """The policy that lets them in is put for whoever makes the configuration; one log each that goes well, whose group
    is gone, and that is not let in any more."""
    well, gone, barred = places = [Logged(account) for _ in range(3)]
    for place in places:
        place.associate("log")
    [policy] = well.logs.describe_resource_policies()["resourcePolicies"]
    assert policy["policyName"] == "AWSLogDeliveryWrite20150319"
    document = orjson.loads(policy["policyDocument"])
    document["Statement"][0]["Resource"].remove(f"{barred.arn}:log-stream:*")
    well.logs.put_resource_policy(policyName=policy["policyName"], policyDocument=orjson.dumps(document).decode())
    gone.logs.delete_log_group(logGroupName=f"/{gone.vpc}")
    at = float(int(time.time()) - 60)
    for place in places:
        place.ask(cloud, at)
    cloud.wait_until(lambda: gone.state()[1] != "NONE" and barred.state()[1] != "NONE")
    assert gone.state() == ("ACTION_NEEDED", "DESTINATION_NOT_FOUND")
    assert barred.state() == ("ACTION_NEEDED", "ACCESS_DENIED")
    cloud.wait_until(lambda: well.logs.filter_log_events(logGroupName=f"/{well.vpc}")["events"])
    [event] = well.logs.filter_log_events(logGroupName=f"/{well.vpc}")["events"]
    line = orjson.loads(event["message"])
    assert (event["logStreamName"], event["timestamp"]) == (well.vpc, at * 1000)
    assert (line["query_name"], line["srcids"], line["vpc_id"]) == ("a.test.", {"instance": "i-1"}, well.vpc)
    assert well.state() == ("ACTIVE", "NONE")


def test_a_log_group_must_be_there_and_ones_own(account: Account, cloud: Cloud) -> None:
    other = Logged(cloud.new_account())
    make = account.client("route53resolver").create_resolver_query_log_config
    for arn in (other.arn, f"arn:aws:logs:us-east-1:{account.id}:log-group:none"):
        given = {"CreatorRequestId": "x", "Name": "x", "DestinationArn": arn}
        assert code(make, **given) == "InvalidRequestException"
    user = user_with_key(
        account, "setter", {"Effect": "Allow", "Action": ["route53resolver:*", "logs:Describe*"], "Resource": "*"}
    )
    own = Logged(account)
    make = user.client("route53resolver").create_resolver_query_log_config
    assert code(make, CreatorRequestId="y", Name="y", DestinationArn=own.arn) == "InvalidRequestException"
    assert own.logs.describe_resource_policies()["resourcePolicies"] == []


def test_the_policy_of_logs_is_added_to_whatever_its_form(account: Account) -> None:
    """One statement needs no list, and neither does one resource; and of two at a time neither is lost."""
    first, second, *others = places = [Logged(account) for _ in range(4)]
    first.associate("log")
    logs, name = first.logs, "AWSLogDeliveryWrite20150319"
    document = orjson.loads(logs.describe_resource_policies()["resourcePolicies"][0]["policyDocument"])
    [document["Statement"]] = document["Statement"]
    [document["Statement"]["Resource"]] = document["Statement"]["Resource"]
    logs.put_resource_policy(policyName=name, policyDocument=orjson.dumps(document).decode())
    second.associate("log")
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda place: place.associate("log"), others))
    document = orjson.loads(logs.describe_resource_policies()["resourcePolicies"][0]["policyDocument"])
    [statement] = document["Statement"]
    assert sorted(statement["Resource"]) == sorted(f"{place.arn}:log-stream:*" for place in places)
