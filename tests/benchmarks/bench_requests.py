"""Requests a second of signed operations, with signature, policy and commit on, beside MiniStack in the same run.

Run: python -m tests.benchmarks.bench_requests

Each operation is signed once and replayed by wrk, so that the load generator costs little; the two take turns, so that
drift of the machine hits both alike. MiniStack (PyPI) checks neither signature nor policy and keeps nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest
from prometheus_client.parser import text_string_to_metric_families

from controlplane.gateway.meter import WRITE_SECONDS
from tests.cloud import Cloud

WANTED = 2.0
"""Times MiniStack's requests a second."""
MINISTACK = "ministack==1.5.33"
SECONDS = 3
ROUNDS = 3
CONNECTIONS = 16

_TRUST = """{"Version": "2012-10-17", "Statement": [
{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}"""
_REPORT = """
function done(summary, latency)
  local failed = summary.errors.status + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format("RESULT %.1f %.3f %.3f %d\\n", summary.requests / (summary.duration / 1e6),
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, failed))
end
"""


@dataclass(frozen=True)
class Target:
    """An endpoint with a key."""

    name: str
    endpoint: str
    access_key_id: str = "test"
    secret_access_key: str = "test"

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
        )


@dataclass(frozen=True)
class Result:
    """Of one run of wrk; times in milliseconds."""

    per_second: float
    median: float
    worst_percent: float
    failed: int


def administrator(root: Target) -> Target:
    """A user of the account with a policy that allows everything: a root user's calls ask no identity policy, and it
    may assume no role."""
    iam, name = root.client("iam"), "administrator"
    iam.create_user(UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Target(root.name, root.endpoint, key["AccessKeyId"], key["SecretAccessKey"])


def operations(target: Target) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """What is measured: title → service, method, parameters. Makes what the operations read."""
    user = f"user-{uuid.uuid4().hex[:8]}"
    target.client("iam").create_user(UserName=user)
    vpc = target.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    queue = target.client("sqs").create_queue(QueueName=user)["QueueUrl"]
    empty = target.client("sqs").create_queue(QueueName=f"{user}-empty")["QueueUrl"]
    topic = _topic(target, user)
    kms = target.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=bytes(32))["CiphertextBlob"]
    role = target.client("iam").create_role(RoleName=user, AssumeRolePolicyDocument=_TRUST)["Role"]["Arn"]
    return {
        "sts.GetCallerIdentity": ("sts", "get_caller_identity", {}),
        "sts.AssumeRole": ("sts", "assume_role", {"RoleArn": role, "RoleSessionName": user}),
        "iam.GetUser": ("iam", "get_user", {"UserName": user}),
        "ec2.DescribeVpcs": ("ec2", "describe_vpcs", {"VpcIds": [vpc]}),
        "ec2.DescribeInstances": ("ec2", "describe_instances", {}),
        "kms.Encrypt": ("kms", "encrypt", {"KeyId": key, "Plaintext": bytes(32)}),
        "kms.Decrypt": ("kms", "decrypt", {"CiphertextBlob": blob}),
        "sqs.SendMessage": ("sqs", "send_message", {"QueueUrl": queue, "MessageBody": "x" * 100}),
        "sqs.ReceiveMessage": ("sqs", "receive_message", {"QueueUrl": queue, "MaxNumberOfMessages": 1}),
        "sqs.ReceiveMessage, empty": ("sqs", "receive_message", {"QueueUrl": empty}),
        "sns.Publish": ("sns", "publish", {"TopicArn": topic, "Message": "x" * 100}),
    }


def _topic(target: Target, name: str) -> str:
    """A topic with one subscriber, a queue that lets it in."""
    sns, sqs = target.client("sns"), target.client("sqs")
    topic = sns.create_topic(Name=name)["TopicArn"]
    url = sqs.create_queue(QueueName=f"{name}-reader")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = f"""{{"Effect": "Allow", "Principal": {{"Service": "sns.amazonaws.com"}}, "Action": "sqs:SendMessage",
    "Resource": "{queue}", "Condition": {{"ArnEquals": {{"aws:SourceArn": "{topic}"}}}}}}"""
    policy = f"""{{"Version": "2012-10-17", "Statement": [{statement}]}}"""
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    return str(topic)


class _Signed(Exception):
    """Stops botocore when the request is signed."""


def signed(target: Target, service: str, method: str, parameters: dict[str, Any]) -> AWSPreparedRequest:
    """The request that botocore would send."""
    client = target.client(service)
    kept: list[AWSPreparedRequest] = []

    def keep(request: AWSPreparedRequest, **_: Any) -> None:
        kept.append(request)
        raise _Signed

    client.meta.events.register("before-send", keep)
    with suppress(_Signed):
        getattr(client, method)(**parameters)
    return kept[0]


def replay(request: AWSPreparedRequest, seconds: int) -> Result:
    """Send a request as fast as it is answered."""
    body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
    script = [f'wrk.method = "{request.method}"', 'wrk.body = "' + "".join(f"\\{byte:03d}" for byte in body) + '"']
    for name, value in request.headers.items():
        if name.lower() not in ("content-length", "expect", "host"):  # wrk writes Host itself
            text = value.decode() if isinstance(value, bytes) else value
            script.append(f"wrk.headers[ [[{name}]] ] = [[{text}]]")
    return run_wrk("\n".join(script), request.url, seconds)


def run_wrk(script: str, url: str, seconds: int) -> Result:
    """What wrk measures with a script."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script + _REPORT)
        file.flush()
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", file.name, url]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT ([\d.]+) ([\d.]+) ([\d.]+) (\d+)", printed)
    assert found is not None, printed
    return Result(float(found[1]), float(found[2]), float(found[3]), int(found[4]))


@contextmanager
def ministack() -> Iterator[Target]:
    """MiniStack in an environment of its own, made at the first run."""
    folder = Path(sys.prefix) / "ministack"
    if not (folder / "bin/ministack").exists():
        subprocess.run(["/usr/bin/python3", "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin/pip", "install", "--quiet", MINISTACK], check=True)
    port = 4597
    with tempfile.TemporaryDirectory(prefix="celaje-ministack-") as work:
        server = subprocess.Popen(
            [folder / "bin/ministack"],
            cwd=work,
            env={"PATH": os.environ["PATH"], "HOME": work, "GATEWAY_PORT": str(port), "EDGE_PORT": str(port)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            endpoint = f"http://127.0.0.1:{port}"
            _wait(endpoint)
            yield Target("MiniStack", endpoint)
        finally:
            server.terminate()
            server.wait(10)


def _wait(endpoint: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(endpoint, timeout=2).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            assert time.monotonic() < deadline, f"{endpoint} does not answer"
            time.sleep(0.1)


def measure(targets: list[Target]) -> dict[str, dict[str, Result]]:
    """Results by operation and target: of the rounds, the one with the median rate."""
    known = {target.name: operations(target) for target in targets}
    results: dict[str, dict[str, Result]] = {}
    for title in known[targets[0].name]:
        rounds: dict[str, list[Result]] = {target.name: [] for target in targets}
        for round_ in range(ROUNDS + 1):
            for target in targets:
                result = replay(signed(target, *known[target.name][title]), SECONDS if round_ else 1)
                if round_:  # the first one warms up
                    rounds[target.name].append(result)
        results[title] = {
            name: sorted(found, key=lambda result: result.per_second)[len(found) // 2] for name, found in rounds.items()
        }
    return results


def steps(cloud: Cloud) -> dict[str, dict[str, float]]:
    """Mean microseconds of each step, by operation, as the gateways have counted them."""
    time.sleep(WRITE_SECONDS + 0.5)
    with urllib.request.urlopen(f"{cloud.endpoint}/_celaje/metrics") as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    numbers: dict[str, float] = {}
    spent: dict[str, dict[str, float]] = {}
    for sample in (sample for family in families for sample in family.samples):
        title = f"{sample.labels.get('service')}.{sample.labels.get('operation')}"
        if sample.name == "celaje_request_seconds_count":
            numbers[title] = numbers.get(title, 0) + sample.value
        elif sample.name in ("celaje_step_seconds_total", "celaje_request_seconds_sum"):
            of = spent.setdefault(title, {})
            step = sample.labels.get("step", "all")
            of[step] = of.get(step, 0) + sample.value
    return {title: {step: 1e6 * s / numbers[title] for step, s in of.items()} for title, of in spent.items()}


def main() -> None:
    """Print a table: requests a second, latencies, and the ratio."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: install deploy/debian-packages.txt")
    with tempfile.TemporaryDirectory(prefix="celaje-bench-") as folder, ministack() as other:
        cloud = Cloud(Path(folder), agent=False)
        cloud.start()
        try:
            account = cloud.new_account()
            root = Target("Celaje", account.endpoint, account.access_key_id, account.secret_access_key)
            ours = administrator(root)
            results = measure([ours, other])
            spent = steps(cloud)
        finally:
            cloud.stop()
    print(f"{'requests a second, two gateway workers':40}{'Celaje':>28}{'MiniStack':>28}{'ratio':>8}")
    for title, found in results.items():
        line = "".join(f"{r.per_second:8.0f}/s {r.median:5.1f}/{r.worst_percent:5.1f} ms" for r in found.values())
        failed = sum(result.failed for result in found.values())
        ratio = found["Celaje"].per_second / found["MiniStack"].per_second
        print(f"{title:40}{line}{ratio:8.2f}" + (f"  {failed} failed" if failed else ""))
    print("where the time of a request goes, in microseconds of the clock (authorize is part of operate):")
    for title in results:
        found_steps = " ".join(f"{step} {micros:.0f}" for step, micros in spent.get(title, {}).items())
        print(f"    {title:36}{found_steps}")
    ratios = [found["Celaje"].per_second / found["MiniStack"].per_second for found in results.values()]
    print(f"geometric mean of the ratios: {statistics.geometric_mean(ratios):.2f} (wanted: {WANTED:.0f} for each)")


if __name__ == "__main__":
    main()
