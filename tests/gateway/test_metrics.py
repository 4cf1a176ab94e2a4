"""What the gateways count: requests by operation and status, the time of steps, work, for callers on this machine."""

from __future__ import annotations

import time
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError
from prometheus_client.parser import text_string_to_metric_families

from controlplane.core.http import HttpRequest
from controlplane.gateway.exchange import Exchange
from controlplane.gateway.meter import WRITE_SECONDS, Meter
from tests.cloud import Account, Cloud


def read(cloud: Cloud, **headers: str) -> dict[tuple[str, ...], float]:
    """Samples by name and values of the labels (by name) other than the process; all processes added up."""
    request = urllib.request.Request(f"{cloud.endpoint}/_celaje/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read().decode()
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, *(value for name, value in sorted(sample.labels.items()) if name != "process"))
            found[key] = found.get(key, 0) + sample.value
    return found


def test_requests_of_all_processes_are_counted(cloud: Cloud, account: Account) -> None:
    time.sleep(WRITE_SECONDS + 0.5)
    before = read(cloud)
    for _ in range(20):
        account.client("sts").get_caller_identity()
    with pytest.raises(ClientError):
        account.client("iam").get_user(UserName="nobody")
    time.sleep(WRITE_SECONDS + 0.5)
    after = read(cloud)

    def grown(*key: str) -> float:
        return after.get(key, 0) - before.get(key, 0)

    assert grown("celaje_request_seconds_count", "GetCallerIdentity", "sts", "200") >= 20
    assert grown("celaje_request_seconds_bucket", "+Inf", "GetCallerIdentity", "sts", "200") >= 20
    assert grown("celaje_request_seconds_count", "GetUser", "iam", "404") >= 1
    steps = [
        grown("celaje_step_seconds_total", "GetCallerIdentity", "sts", step) for step in ("authenticate", "encode")
    ]
    assert 0 < sum(steps) <= grown("celaje_request_seconds_sum", "GetCallerIdentity", "sts", "200")
    assert not any(account.id in part or account.access_key_id in part for key in after for part in key)


def test_they_are_told_to_nobody_else(cloud: Cloud) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        read(cloud, **{"x-forwarded-for": "192.0.2.1"})
    assert refused.value.code == 403


def test_counting_costs_little(tmp_path: object) -> None:
    meter = Meter(tmp_path, "test")  # type: ignore[arg-type]
    exchange = Exchange(HttpRequest("POST", b"/", b"", {}), "id")
    exchange.spans = dict.fromkeys(("find", "authenticate", "decode", "authorize", "operate", "encode"), 0.0001)
    began = time.process_time()
    for _ in range(20_000):
        meter.count(exchange, 200, 0.0005)
    each = (time.process_time() - began) / 20_000
    print(f"{each * 1e6:.2f} microseconds")
    assert each < 20e-6
