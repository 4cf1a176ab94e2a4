"""Two accounts with something of every service, and what is known of it: ids, names and ARNs by the member that holds
them, and a digest of all rows."""

from __future__ import annotations

import asyncio
import importlib
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
from botocore.exceptions import ClientError, ParamValidationError

from controlplane.gateway.registry import Registry, ServiceEntry
from controlplane.settings import Settings
from controlplane.state.erasure import owned_rows
from controlplane.wire.patterns import compiled
from controlplane.wire.service import load
from tests.cloud import Account, Cloud
from tests.wire.generate import Generator

SERVICES = Path(__file__).parents[1] / "services"
READING = ("List", "Describe", "Get")
SHORTEST = 8
"""Shorter values are words of the API rather than names that only one account has."""

MOST = 3
"""So many values of a member are tried where only a pattern says what fits."""
OWN = "own-"
"""How names begin that `belongings.py` gives."""

Known = dict[str, list[str]]

_OF_ORGANIZATIONS = """
SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'organization_id'
"""
_ORGANIZATION = "organization_id IN (SELECT organization_id FROM organizations_members WHERE member_id = $1)"
_DIGEST = "SELECT coalesce(md5(string_agg(t::text, ' ' ORDER BY t::text)), '') FROM {table} t WHERE {condition}"
# What others may rightly cause to be written about an account: notes, and how often it was used; and what ends by its
# own clock, which the tests' clouds have fast.
_CHANGING = ("access_decisions", "access_service_uses", "cloudtrail_", "usage_", "work_", "gateway_", "glacier_jobs")


def fill(account: Account) -> None:
    """Make what every service's `belongings.py` makes."""
    for path in sorted(SERVICES.glob("*/belongings.py")):
        importlib.import_module(f"tests.services.{path.parent.name}.belongings").make(account)


def harvest(account: Account) -> dict[str, Known]:
    """All strings that the account's own reading operations tell, by service and member name."""
    return {entry.name: _harvest(account, entry) for entry in Registry.scan().services.values()}


def merged(harvested: dict[str, Known]) -> Known:
    """What all services together told."""
    found: Known = defaultdict(list)
    for known in harvested.values():
        for member, values in known.items():
            found[member].extend(value for value in values if value not in found[member])
    return dict(found)


def _harvest(account: Account, entry: ServiceEntry) -> Known:
    known: dict[str, dict[str, None]] = defaultdict(dict)
    client = account.client(entry.model)
    for name in sorted(entry.operations):
        shape = load(entry.model).operation(name).input_shape
        if name.startswith(READING) and (shape is None or not shape.required_members):
            with suppress(ClientError, ParamValidationError):
                for member, value in strings(client._make_api_call(name, {})):
                    known[member][value] = None
    return {member: list(values) for member, values in known.items()}


def strings(value: Any, member: str = "") -> Iterator[tuple[str, str]]:
    """Every string of an answer with the member that holds it; headers and request ids aside."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key != "ResponseMetadata":
                yield from strings(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item, member)
    elif isinstance(value, str):
        yield member, value


def request(
    model: str, operation: str, known: Known, *, full: bool, pick: int, given: dict[str, Any]
) -> dict[str, Any] | None:
    """Parameters that name what is known wherever a member fits, the `pick`th of each; None when there are none."""
    shape = load(model).operation(operation).input_shape
    if shape is None:
        return None
    generator = Generator(Random(f"{operation}{full}"), load(model).protocols[0])
    parameters = generator.value(shape) if full else {}
    for name in shape.required_members:
        parameters.setdefault(name, generator.value(shape.members[name]))
    parameters |= given
    fitting = [name for name, member in shape.members.items() if name in parameters or _values(known, name, member)]
    return _named(shape, {name: parameters.get(name) for name in fitting}, known, pick)


def _named(shape: Any, parameters: dict[str, Any], known: Known, pick: int) -> dict[str, Any]:
    filled = {}
    for name, value in parameters.items():
        member = shape.members[name]
        values = _values(known, name, member)
        if values:
            filled[name] = [values[pick]] if member.type_name == "list" else values[pick]
        elif member.type_name == "structure" and isinstance(value, dict):
            filled[name] = _named(member, value, known, pick)
        elif value is not None:
            filled[name] = value
    return filled


def _values(known: Known, name: str, member: Any) -> list[str]:
    """What a member could name: values of the same member or its singular; ARNs of its noun; for ids and ARNs whatever
    matches the model's pattern."""
    text = member.member if member.type_name == "list" else member
    if text.type_name != "string" or text.metadata.get("enum"):
        return []
    lowered = {member.lower(): values for member, values in known.items()}
    values = lowered.get(name.lower()) or lowered.get(name.lower().removesuffix("s")) or []
    everything = [value for values in known.values() for value in values[:MOST]]
    pattern = text.metadata.get("pattern")
    noun = name.lower().removesuffix("s").removesuffix("arn")
    if not values and name.lower().removesuffix("s").endswith("arn"):
        arns = [value for value in everything if value.startswith("arn:")]
        values = [arn for arn in arns if f":{noun}/" in arn] or arns
    if not values and pattern and name.removesuffix("s").endswith("Id"):
        regexp = compiled(pattern)
        values = [value for value in everything if regexp and any(map(str.isdigit, value)) and regexp.fullmatch(value)]
    return values


def secrets_of(owner: Known, other: Known) -> set[str]:
    """Values that only the owner has; names that `belongings.py` chose (`own-…`) may be taken by anybody."""
    common = {value for values in other.values() for value in values}
    found = {value for values in owner.values() for value in values}
    return {value for value in found - common if len(value) >= SHORTEST and not value.strip("/").startswith(OWN)}


def nearest(harvested: dict[str, Known], service: str, secrets: set[str]) -> Known:
    """What is known, by member: what only the owner has first, and of that what the service in question told."""
    told = {value for values in harvested[service].values() for value in values}
    return {
        member: sorted(values, key=lambda value: (value not in secrets, value not in told))
        for member, values in (harvested[service] | merged(harvested)).items()
    }


def rows_of(cloud: Cloud, account_id: str) -> dict[str, str]:
    """A digest of the account's rows, by table."""
    with ThreadPoolExecutor(1) as thread:  # asyncio.run wants a thread without a running loop
        return thread.submit(asyncio.run, _rows_of(Settings(home=cloud.home).database, account_id)).result()


async def _rows_of(url: str, account_id: str) -> dict[str, str]:
    connection = await asyncpg.connect(url)
    try:
        conditions = await owned_rows(connection)
        for row in await connection.fetch(_OF_ORGANIZATIONS):
            conditions[row["table_name"]] = _ORGANIZATION
        conditions["access_accounts"] = "id = $1"
        return {
            table: await connection.fetchval(_DIGEST.format(table=table, condition=condition), account_id)
            for table, condition in conditions.items()
            if not table.startswith(_CHANGING)
        }
    finally:
        await connection.close()
