"""Query logs: questions to the served port, whose lines are read back out of CloudWatch Logs."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import re
import signal
import time
import uuid
from typing import Any

import dns.edns
import dns.message
import dns.rcode
import pytest

from controlplane.engines.dns.contract import Question
from controlplane.services.route53 import log_delivery, query_logs
from tests.cloud import Account, Cloud
from tests.services.organizations.test_organizations import code
from tests.services.route53.conftest import Zone
from tests.services.route53.test_by_network import Collection

GROUP = "/aws/route53/tests"
LINE = re.compile(
    r"1\.0 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (\S+) (\S+) (\S+) (\S+) (UDP|TCP) [A-Z]{3}\d+ (\S+) (\S+)"
)
SOON = 20.0


def allow(account: Account, *actions: str) -> None:
    """A resource policy as AWS's guide has it."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "route53.amazonaws.com"},
        "Action": actions or ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": f"arn:aws:logs:us-east-1:{account.id}:log-group:/aws/route53/*",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": account.id},
            "ArnLike": {"aws:SourceArn": "arn:aws:route53:::hostedzone/*"},
        },
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    account.client("logs").put_resource_policy(policyName="route53", policyDocument=document)


def arn(account: Account, region: str = "us-east-1", name: str = GROUP) -> str:
    return f"arn:aws:logs:{region}:{account.id}:log-group:{name}"


class Log:
    """The log of a zone, and questions that are told apart by their names."""

    def __init__(self, cloud: Cloud, account: Account, zone: Zone) -> None:
        self.zone, self._cloud, self._client = zone, cloud, account.client("logs")
        self.zone_id = zone.id.rpartition("/")[2]

    def ask(self, name: str, type: str = "A", *, tcp: bool = False, subnet: str = "", source: str = "127.0.0.1") -> str:
        """A question; its response code."""
        options = [dns.edns.ECSOption.from_text(subnet)] if subnet else []
        question = dns.message.make_query(name, type, options=options, use_edns=0 if options else False)
        return dns.rcode.to_text(self._cloud.ask_dns(question, tcp=tcp, source=source).rcode())

    def lines(self) -> list[tuple[str, ...]]:
        """What every line says behind its time; each must be in the form."""
        told = self._client.filter_log_events(logGroupName=GROUP)["events"]
        for event in told:
            assert event["logStreamName"] == f"{self.zone_id}/CEL1"
            assert abs(event["timestamp"] / 1000 - time.time()) < 300
        found = [LINE.fullmatch(event["message"]) for event in told]
        assert all(found), told
        return [match.groups() for match in found if match]

    def wait_for(self, *lines: tuple[str, ...]) -> None:
        """Until all of these lines are there."""
        wanted = {(self.zone_id, *line) for line in lines}
        self._cloud.wait_until(lambda: wanted <= set(self.lines()), SOON)

    def flow(self) -> str:
        """Ask until questions are logged; the name of the last one."""
        asked: list[str] = []

        def logged() -> bool:
            asked.append(f"f{uuid.uuid4().hex[:8]}.{self.zone.name}")
            self.ask(asked[-1])
            time.sleep(0.3)
            return any(line[1] in asked for line in self.lines())

        self._cloud.wait_until(logged, 40)
        return asked[-1]


@pytest.fixture
def log(cloud: Cloud, account: Account, zone: Zone) -> Any:
    """A zone that is logged."""
    account.client("logs").create_log_group(logGroupName=GROUP)
    allow(account)
    made = zone.client.create_query_logging_config(HostedZoneId=zone.id, CloudWatchLogsLogGroupArn=arn(account))
    yield Log(cloud, account, zone)
    if zone.client.list_query_logging_configs()["QueryLoggingConfigs"]:
        zone.client.delete_query_logging_config(Id=made["QueryLoggingConfig"]["Id"])


def ready(cloud: Cloud) -> bool:
    return all(cloud.process(name)["state"] == "ready" for name in ("dns", "dns-front", "dns-log"))


def test_questions_are_logged_in_the_form_of_aws(log: Log, cloud: Cloud, account: Account) -> None:
    zone = log.zone
    log.flow()
    zone.put(
        zone.set("www", "A", "192.0.2.1"),
        zone.set("w", "A", "192.0.2.2", SetIdentifier="a", Weight=1),
        zone.set("w", "A", "192.0.2.3", SetIdentifier="b", Weight=1),
        zone.set("net", "A", "192.0.2.4", SetIdentifier="a", GeoLocation={"ContinentCode": "EU"}),
        zone.set("net", "A", "192.0.2.5", SetIdentifier="b", GeoLocation={"CountryCode": "*"}),
    )
    www = f"www.{zone.name}"
    assert log.ask(www) == log.ask(www, tcp=True) == log.ask(www, "AAAA", subnet="198.51.100.0/24") == "NOERROR"
    assert log.ask(f"WwW.{zone.name}", source="127.0.0.9") == "NOERROR"
    assert log.ask(f"absent.{zone.name}") == "NXDOMAIN"
    assert log.ask(f"w.{zone.name}") == "NOERROR"
    assert log.ask(f"a b.{zone.name}".replace(" ", "\\032"), "TXT") == "NXDOMAIN"
    assert log.ask(f"inner.{www}", "DS") == "NXDOMAIN"
    assert log.ask("elsewhere.example") == "REFUSED"
    zone.client.test_dns_answer(HostedZoneId=zone.id, RecordName=f"asked-by-us.{zone.name}", RecordType="A")
    log.wait_for(
        (www, "A", "NOERROR", "UDP", "127.0.0.1", "-"),
        (www, "A", "NOERROR", "TCP", "127.0.0.1", "-"),
        (www, "AAAA", "NOERROR", "UDP", "127.0.0.1", "198.51.100.0/24"),
        (f"WwW.{zone.name}", "A", "NOERROR", "UDP", "127.0.0.9", "-"),
        (f"absent.{zone.name}", "A", "NXDOMAIN", "UDP", "127.0.0.1", "-"),
        (f"w.{zone.name}", "A", "NOERROR", "UDP", "127.0.0.1", "-"),
        (f"a\\032b.{zone.name}", "TXT", "NXDOMAIN", "UDP", "127.0.0.1", "-"),
        (f"inner.{www}", "DS", "NXDOMAIN", "UDP", "127.0.0.1", "-"),
    )
    told = {line[1] for line in log.lines()}
    assert "elsewhere.example" not in told and f"asked-by-us.{zone.name}" not in told


def test_who_asks_is_known_behind_dnsdist(log: Log, cloud: Cloud, account: Account) -> None:
    log.flow()
    zone = log.zone
    made = Collection(account)
    made.change("here", "127.0.9.0/24")
    zone.put(made.record(zone, "here", "192.0.2.1"), made.record(zone, "*", "192.0.2.2"))
    question = dns.message.make_query(f"here.{zone.name}", "A")
    for tcp in (False, True):
        told = [cloud.ask_dns(question, tcp=tcp, source=source).answer[0][0] for source in ("127.0.9.1", "127.0.0.1")]
        assert list(map(str, told)) == ["192.0.2.1", "192.0.2.2"]


def test_the_nearest_zone_that_answers_is_told_of_and_no_other(log: Log, cloud: Cloud, account: Account) -> None:
    stranger = cloud.new_account()
    log.flow()
    servers = [{"Value": "ns.example."}]
    log.zone.put({"Name": f"below.{log.zone.name}", "Type": "NS", "TTL": 60, "ResourceRecords": servers})
    below = Zone(cloud, stranger, f"below.{log.zone.name}")
    below.put(below.set("www", "A", "192.0.2.1"))
    same = Zone(cloud, stranger, log.zone.name)  # it was not there first
    same.sync(same.made["ChangeInfo"]["Id"])
    own = Zone(cloud, account, f"own.{log.zone.name}")
    own.put(own.set("www", "A", "192.0.2.1"))
    time.sleep(5)  # the next look at whose zones there are
    assert (log.ask(f"www.{below.name}"), log.ask(f"www.{own.name}")) == ("NOERROR", "NOERROR")
    log.ask(f"{log.zone.name}")
    log.wait_for((log.zone.name, "A", "NOERROR", "UDP", "127.0.0.1", "-"))
    assert not {f"www.{below.name}", f"www.{own.name}"} & {line[1] for line in log.lines()}


def test_a_dot_within_a_label_separates_nothing() -> None:
    served = {"com": "A", "example.com": "B"}

    def zone_of(name: str, type: str = "A") -> str:
        return query_logs.zone_of(served, Question(0, name, type, "NOERROR", "UDP", "192.0.2.1"))

    assert zone_of("evil\\.example.com") == zone_of("x\\.y\\.example.com", "DS") == "A"
    assert zone_of("x\\\\.example.com") == zone_of("a\\032b.example.com") == zone_of("eXample.com") == "B"
    assert zone_of("example.com", "DS") == "A"


async def test_what_waits_is_for_the_configuration_of_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Step:
        engines = runtime = database = None

        def engine(self, name: str) -> Any:
            return self

        def step(self) -> Any:
            return contextlib.nullcontext()

        async def owners(self, db: Any, names: Any) -> dict[str, str]:
            return {"a.test": "Z"}

    made: Any = Step()
    delivery = log_delivery.Delivery(made)
    ids = iter("112")

    async def logged(db: Any) -> list[dict[str, str]]:
        return [{"id": next(ids), "zone_id": "Z", "name": "a.test."}]

    monkeypatch.setattr(query_logs, "logged", logged)
    await delivery.look()
    waiting = delivery._waiting["Z"] = collections.deque([{}])
    await delivery.look()
    assert len(waiting) == 1
    await delivery.look()
    assert not waiting and not delivery._waiting, "made anew meanwhile"


def test_configurations_are_made_listed_and_refused_as_at_aws(cloud: Cloud, account: Account, zone: Zone) -> None:
    client, logs = zone.client, account.client("logs")

    def create(where: str = "", id: str = zone.id) -> Any:
        return client.create_query_logging_config(HostedZoneId=id, CloudWatchLogsLogGroupArn=where or arn(account))

    assert code(create) == "NoSuchCloudWatchLogsLogGroup"
    logs.create_log_group(logGroupName=GROUP)
    assert code(create) == "InsufficientCloudWatchLogsResourcePolicy"
    allow(account, "logs:CreateLogStream")
    assert code(create) == "InsufficientCloudWatchLogsResourcePolicy"
    allow(account)
    for wrong in ("x", f"arn:aws:s3:::{GROUP}", arn(account, "eu-west-1"), arn(cloud.new_account())):
        assert code(lambda wrong=wrong: create(wrong)) == "InvalidInput", wrong
    assert code(lambda: create(arn(account, name="/aws/route53/other"))) == "NoSuchCloudWatchLogsLogGroup"
    assert code(lambda: create(id="Z0")) == "NoSuchHostedZone"
    vpc = account.client("ec2").create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    private = client.create_hosted_zone(
        Name="in.test", CallerReference=uuid.uuid4().hex, VPC={"VPCId": vpc, "VPCRegion": "us-east-1"}
    )["HostedZone"]["Id"]
    assert code(lambda: create(id=private)) == "InvalidInput"
    made = create(f"{arn(account)}:*")
    config = made["QueryLoggingConfig"]
    assert config["CloudWatchLogsLogGroupArn"] == f"{arn(account)}:*"
    assert config["HostedZoneId"] == zone.id.rpartition("/")[2]
    assert made["Location"].endswith(config["Id"])
    assert code(create) == "QueryLoggingConfigAlreadyExists"
    assert client.get_query_logging_config(Id=config["Id"])["QueryLoggingConfig"] == config
    assert client.list_query_logging_configs()["QueryLoggingConfigs"] == [config]
    assert client.list_query_logging_configs(HostedZoneId=private)["QueryLoggingConfigs"] == []
    second = Zone(cloud, account)
    other = create(id=second.id)["QueryLoggingConfig"]
    page = client.list_query_logging_configs(MaxResults="1")
    rest = client.list_query_logging_configs(MaxResults="1", NextToken=page["NextToken"])
    assert "NextToken" not in rest
    found = [*page["QueryLoggingConfigs"], *rest["QueryLoggingConfigs"]]
    assert found == sorted([config, other], key=lambda each: each["Id"])
    assert code(lambda: client.list_query_logging_configs(NextToken="x")) == "InvalidPaginationToken"
    assert code(lambda: client.list_query_logging_configs(HostedZoneId="Z0")) == "NoSuchHostedZone"
    foreign = cloud.new_account().client("route53")
    for call in (foreign.get_query_logging_config, foreign.delete_query_logging_config):
        assert code(lambda call=call: call(Id=config["Id"])) in ("AccessDenied", "NoSuchQueryLoggingConfig")
    client.delete_query_logging_config(Id=config["Id"])
    assert code(lambda: client.get_query_logging_config(Id=config["Id"])) == "NoSuchQueryLoggingConfig"
    assert code(lambda: client.delete_query_logging_config(Id=config["Id"])) == "NoSuchQueryLoggingConfig"
    client.delete_hosted_zone(Id=second.id)
    assert client.list_query_logging_configs()["QueryLoggingConfigs"] == []


def test_what_is_killed_is_back_and_what_is_refused_is_tried_again(log: Log, cloud: Cloud, account: Account) -> None:
    logs = account.client("logs")
    log.flow()
    for name in ("dns-front", "dns-log", "dns"):
        before = cloud.process(name)["pid"]
        os.kill(before, signal.SIGKILL)
        cloud.wait_until(lambda name=name, before=before: cloud.process(name)["pid"] not in (None, before), 10)
        cloud.wait_until(lambda: ready(cloud), 20)
        log.flow()
    logs.delete_resource_policy(policyName="route53")
    log.ask(f"unseen.{log.zone.name}")
    time.sleep(5)
    allow(account)
    log.flow()
    logs.delete_log_group(logGroupName=GROUP)
    log.ask(f"unseen.{log.zone.name}")
    time.sleep(5)
    logs.create_log_group(logGroupName=GROUP)
    log.flow()
    assert f"unseen.{log.zone.name}" not in {line[1] for line in log.lines()}
    config = log.zone.client.list_query_logging_configs()["QueryLoggingConfigs"]
    assert len(config) == 1
