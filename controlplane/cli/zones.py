"""celaje zone export and import: hosted zones as the zone files of BIND (RFC 1035)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import dns.exception
import dns.name
import dns.rdatatype
import dns.zone
import typer
from botocore.exceptions import BotoCoreError, ClientError

from controlplane.access import accounts
from controlplane.cli.application import Failure, Home, application, endpoint, load_settings, output
from controlplane.cli.owner import in_database
from controlplane.services.route53 import records, sizes
from controlplane.supervise.bootstrap import FIRST_ACCOUNT

zone = typer.Typer(help="Hosted zones as zone files.", no_args_is_help=True)
application.add_typer(zone, name="zone")

_DECIMAL = re.compile(r"\\(\d{3})")
_PLAIN = {"Name", "Type", "TTL", "ResourceRecords"}
_Account = Annotated[str, typer.Option("--account", help="Name or id of the account.")]


@zone.command("export")
def export_zone(
    name: Annotated[str, typer.Argument(help="Name or id of a hosted zone.")],
    account: _Account = FIRST_ACCOUNT,
    home: Home = None,
) -> None:
    """Print a zone file. Records with a routing policy and aliases, which such files cannot hold, become comments."""
    client = _client(account, home)
    found = _zone(client, name)
    print(f"$ORIGIN {found['Name']}")
    for page in client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=found["Id"]):
        for item in page["ResourceRecordSets"]:
            for line in _lines(item):
                print(line)


def _lines(item: Mapping[str, Any]) -> Iterator[str]:
    if set(item) - _PLAIN:
        yield f"; {item['Name']} {item['Type']}: alias or routing policy {item.get('SetIdentifier', '')}".rstrip()
        return
    for value in item["ResourceRecords"]:
        yield f"{_escaped(item['Name'])} {item['TTL']} IN {item['Type']} {records.served(item['Type'], value['Value'])}"


def _escaped(name: str) -> str:
    """Route 53 escapes by octal numbers, zone files by decimal ones."""
    return _DECIMAL.sub(lambda match: "*" if match[1] == "052" else f"\\{int(match[1], 8):03d}", name)


@zone.command("import")
def import_zone(
    name: Annotated[str, typer.Argument(help="Name or id of a hosted zone that is there.")],
    file: Annotated[Path, typer.Argument(help="A zone file; - for standard input.")],
    account: _Account = FIRST_ACCOUNT,
    home: Home = None,
) -> None:
    """Put the records of a zone file into a hosted zone, but for its SOA and its own NS. They replace those of the same
    name and type."""
    client = _client(account, home)
    found = _zone(client, name)
    text = sys.stdin.read() if str(file) == "-" else _read(file)
    try:
        parsed = dns.zone.from_text(
            text, origin=found["Name"], relativize=False, filename=str(file), check_origin=False
        )
    except (dns.exception.DNSException, ValueError) as error:
        raise Failure(f"not a zone file of {found['Name']}: {error}") from error
    changes = [{"Action": "UPSERT", "ResourceRecordSet": each} for each in _sets(parsed)]
    try:
        for batch in sizes.batches(changes):
            client.change_resource_record_sets(HostedZoneId=found["Id"], ChangeBatch={"Changes": batch})
    except ClientError as error:
        raise Failure(str(error)) from error
    output.print(f"{len(changes)} record sets in {found['Name']}")


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} cannot be read: {error}") from error


def _sets(parsed: dns.zone.Zone) -> Iterator[dict[str, Any]]:
    for name, found in parsed.iterate_rdatasets():
        type = dns.rdatatype.to_text(found.rdtype)
        if type == "SOA" or (type == "NS" and name == parsed.origin):
            continue
        values = [_DECIMAL.sub(lambda match: f"\\{int(match[1]):03o}", item.to_text()) for item in found]
        yield {
            "Name": _DECIMAL.sub(lambda match: f"\\{int(match[1]):03o}", name.to_text()),
            "Type": type,
            "TTL": found.ttl,
            "ResourceRecords": [{"Value": value} for value in values],
        }


def _client(account: str, home: Any) -> Any:
    settings = load_settings(home=home)
    found = in_database(settings, lambda db, sealer: accounts.credentials(db, sealer, account))
    if found is None:
        raise Failure(f"no account {account!r}; `celaje account list` shows all.")
    from botocore.session import get_session  # here, because it takes longer to load than most commands to run

    return get_session().create_client(
        "route53",
        region_name=settings.region,
        endpoint_url=endpoint(settings),
        aws_access_key_id=found.access_key_id,
        aws_secret_access_key=found.secret_access_key,
    )


def _zone(client: Any, name: str) -> Any:
    try:
        for page in client.get_paginator("list_hosted_zones").paginate():
            for found in page["HostedZones"]:
                if name in (found["Id"].rpartition("/")[2], found["Name"], found["Name"].removesuffix(".")):
                    return found
    except (ClientError, BotoCoreError) as error:
        raise Failure(str(error)) from error
    raise Failure(f"no hosted zone {name!r}")
