"""Zone files in and out, by the command."""

from __future__ import annotations

from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dns.update

from tests.cloud import Account, Cloud
from tests.services.route53.conftest import Zone

FILE = """
$TTL 300
@ IN SOA ns.example. host.example. 1 2 3 4 5
@ IN NS ns.example.
www IN A 192.0.2.1
www IN A 192.0.2.2
* 60 IN CNAME www
text IN TXT "a \\195\\164 b" "c"
@ IN MX 10 mail.example.
"""


def test_a_zone_file_goes_in_and_comes_out(cloud: Cloud, account: Account, zone: Zone, tmp_path: Path) -> None:
    file = tmp_path / "zone"
    file.write_text(FILE)
    own = ("--account", account.id)
    assert "4 record sets" in cloud.celaje("zone", "import", zone.name, str(file), *own)
    cloud.wait_until(lambda: zone.ask("www") == ["192.0.2.1", "192.0.2.2"], 30)
    cloud.wait_until(lambda: zone.ask("text", "TXT") == ['"a \\195\\164 b" "c"'], 30)
    assert zone.ask("any", "CNAME") == [f"www.{zone.name}."]
    zone.put(zone.set("w", "A", "192.0.2.3", SetIdentifier="a", Weight=1))
    told = cloud.celaje("zone", "export", zone.name, *own)
    assert f"\nwww.{zone.name}. 300 IN A 192.0.2.1\n" in told and f"\n*.{zone.name}. 60 IN CNAME" in told
    assert f"; w.{zone.name}. A: alias or routing policy a\n" in told
    file.write_text(told)
    assert "4 record sets" in cloud.celaje("zone", "import", zone.name, str(file), *own), "what came out goes in"
    file.write_text("www IN A not-an-address\n")
    refused = cloud.try_celaje("zone", "import", zone.name, str(file), *own)
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    assert "zone:" in refused.stderr and "<string>" not in refused.stderr, "it names the file"
    assert cloud.try_celaje("zone", "export", "none.test", *own).returncode == 1


def test_a_large_zone_file_goes_in_by_batches(cloud: Cloud, account: Account, zone: Zone, tmp_path: Path) -> None:
    """By records it is three of Route 53's batches, by characters as many more."""
    lines = [f"n{n} 60 IN A 192.0.2.{n % 250}\nn{n} 60 IN A 192.0.3.{n % 250}" for n in range(600)]
    lines += [f't{n} 60 IN TXT "{"x" * 250}"' for n in range(200)]
    file = tmp_path / "zone"
    file.write_text("\n".join(lines))
    assert "800 record sets" in cloud.celaje("zone", "import", zone.name, str(file), "--account", account.id)
    assert zone.client.get_hosted_zone(Id=zone.id)["HostedZone"]["ResourceRecordSetCount"] == 802


def test_nobody_gets_a_whole_zone(cloud: Cloud, zone: Zone) -> None:
    zone.put(zone.set("secret", "A", "192.0.2.1"))
    for kind in ("AXFR", "IXFR", "ANY"):
        question = dns.message.make_query(zone.name, kind)
        try:
            answer = cloud.ask_dns(question, tcp=True)
        except (EOFError, OSError):
            continue  # it hung up
        assert "secret" not in answer.to_text(), kind
    update = dns.update.UpdateMessage(zone.name)
    update.add("mine", 60, "A", "192.0.2.66")
    assert cloud.ask_dns(update, tcp=True).rcode() == dns.rcode.REFUSED
