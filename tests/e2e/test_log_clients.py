"""An unmodified aws cli reads and searches logs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

from tests.cloud import Account

AWS = f"{sys.prefix}/aws-cli/bin/aws"


def test_the_aws_cli_reads_and_searches(account: Account) -> None:
    def aws(*arguments: str) -> str:
        environment = {"PATH": os.environ["PATH"], "AWS_PAGER": "", **account.environment()}
        return subprocess.run(
            [AWS, "logs", *arguments], env=environment, capture_output=True, text=True, timeout=120, check=True
        ).stdout

    logs, at = account.client("logs"), int(time.time() * 1000)
    logs.create_log_group(logGroupName="/app")
    for number, stream in enumerate(("a", "b")):
        logs.create_log_stream(logGroupName="/app", logStreamName=stream)
        events = [{"timestamp": at - 1000 + n, "message": f"{stream} {n}"} for n in range(number, 20, 2)]
        logs.put_log_events(logGroupName="/app", logStreamName=stream, logEvents=events)
    name = ("--log-group-name", "/app", "--output", "json")
    asked = ("--interleaved", "--start-time", str(at - 600_000))  # as the second version's `tail` asks
    found = json.loads(aws("filter-log-events", *name, *asked))["events"]
    assert [event["message"] for event in found] == [f"{'ab'[n % 2]} {n}" for n in range(20)]
    paged = ("--page-size", "3", "--filter-pattern", "?7 ?12")
    found = json.loads(aws("filter-log-events", *name, *paged))["events"]
    assert [event["message"] for event in found] == ["b 7", "a 12", "b 17"]
    found = json.loads(aws("get-log-events", *name, "--log-stream-name", "a", "--limit", "2"))["events"]
    assert [event["message"] for event in found] == ["a 16", "a 18"]
