"""Questions a second that hosted zones answer: names asked again and again (cached), and weighted ones (drawn anew),
plain, signed, and logged; and how long after INSYNC a change is answered. dnsperf asks (Debian's package of that
name)."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from tests.cloud import Account, Cloud
from tests.services.route53.conftest import Zone
from tests.services.route53.test_dnssec import create, enable, new_key
from tests.services.route53.test_query_logs import GROUP, allow, arn, ready

NAMES, SECONDS, CLIENTS, CHANGES = 100, 8, 20, 20


def main() -> None:
    """Print what was measured."""
    if shutil.which("dnsperf") is None:
        print("dnsperf is not installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "cloud"
        home.mkdir()
        folder_path = Path(folder)
        folder_path.chmod(0o755)
        cloud = Cloud(home, agent=False)
        cloud.start()
        try:
            _measure(cloud, folder_path)
        finally:
            cloud.stop()


def _measure(cloud: Cloud, folder: Path) -> None:
    account = cloud.new_account()
    zone = Zone(cloud, account)
    zone.put(
        *(zone.set(f"n{number}", "A", f"192.0.2.{number}") for number in range(NAMES)),
        *(zone.set("w", "A", f"192.0.2.{weight}", SetIdentifier=str(weight), Weight=weight) for weight in (1, 2)),
    )
    plain = [f"n{number}.{zone.name} A" for number in range(NAMES)]
    print(f"plain names     {_asked(cloud, folder, plain):>10,.0f} questions/s")
    print(f"weighted names  {_asked(cloud, folder, [f'w.{zone.name} A']):>10,.0f} questions/s")
    create(zone, new_key(account))
    enable(zone)
    print(f"plain, signed   {_asked(cloud, folder, plain, '-D'):>10,.0f} questions/s")
    print(f"weighted, signed{_asked(cloud, folder, [f'w.{zone.name} A'], '-D'):>10,.0f} questions/s")
    _log(cloud, account, zone)
    print(f"plain, logged   {_asked(cloud, folder, plain):>10,.0f} questions/s")
    print(f"weighted, logged{_asked(cloud, folder, [f'w.{zone.name} A']):>10,.0f} questions/s")
    print(f"logged, signed  {_asked(cloud, folder, plain, '-D'):>10,.0f} questions/s")
    pending, late = [], []
    for number in range(CHANGES):
        pending.append(zone.sync(zone.change(zone.set("c", "A", f"192.0.2.{number}"), action="UPSERT")))
        began = time.monotonic()
        while zone.ask("c") != [f"192.0.2.{number}"]:
            time.sleep(0.001)
        late.append(time.monotonic() - began)
    print(f"in sync after   {max(pending) * 1000:>10,.0f} ms at most; answered {max(late) * 1000:.0f} ms later at most")


def _log(cloud: Cloud, account: Account, zone: Zone) -> None:
    account.client("logs").create_log_group(logGroupName=GROUP)
    allow(account)
    zone.client.create_query_logging_config(HostedZoneId=zone.id, CloudWatchLogsLogGroupArn=arn(account))
    cloud.wait_until(lambda: ready(cloud))


def _asked(cloud: Cloud, folder: Path, questions: list[str], *options: str) -> float:
    file = folder / "questions"
    file.write_text("\n".join(questions))
    command = ["dnsperf", "-s", "127.0.0.1", "-p", str(cloud.dns_port()), "-d", str(file)]
    command += ["-l", str(SECONDS), "-c", str(CLIENTS), *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found, lost = re.search(r"Queries per second:\s+([\d.]+)", done), re.search(r"Queries lost:\s+(\d+)", done)
    assert found and lost and int(lost[1]) < 10, done
    return float(found[1])
