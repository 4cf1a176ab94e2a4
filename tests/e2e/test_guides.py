"""The guide for the first day, line by line, as somebody new would type it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import dns.message

from tests.cloud import Account, Cloud

GUIDE = Path(__file__).parents[2] / "docs/guides/first-day.md"
# The aws command that the tests have is of version 1.
PRELUDE = 'set -euo pipefail; aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }\n'
DIG = re.compile(r"^dig .*\n", re.MULTILINE)


def test_the_first_day_goes_as_it_is_written(account: Account, cloud: Cloud, tmp_path: Path) -> None:
    guide = GUIDE.read_text()
    assert len(DIG.findall(guide)) == 1, "asked below, at the port of this cloud"
    commands = DIG.sub("", "".join(re.findall(r"^```\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)))
    path = f"{Path(sys.prefix) / 'aws-cli/bin'}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(tmp_path), **account.environment()}
    done = subprocess.run(
        ["bash", "-c", PRELUDE + commands],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("<h1>hello</h1>") == 2, "by the link, and from the website"
    for shown in ("first job", "news for all", "It works.", "hola", "192.0.2.1"):
        assert shown in done.stdout, shown
    question = dns.message.make_query("www.home.test", "A")
    cloud.wait_until(lambda: "192.0.2.1" in cloud.ask_dns(question).to_text(), 30)
