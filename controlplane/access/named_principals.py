"""Users and roles that a policy of a resource names: kept by their unique ids, shown by their ARNs.

Whoever is deleted and made anew under the same name has another id, and so is not let in again; whoever is renamed
still is. A deleted one is shown as the id, as AWS does.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from controlplane.access import directory, queries
from controlplane.access.policy.grammar import statements_of
from controlplane.core.arn import Arn

_ID = re.compile(r"(A(?:IDA|ROA)[A-Z2-7]{17})(:.*)?", re.DOTALL)
_MAYBE = re.compile(r'"A(?:IDA|ROA)[A-Z2-7]{17}')
_IDENTITIES = "SELECT id, account_id, kind, name, path FROM access_identities WHERE id = ANY($1)"


class UnknownPrincipal(Exception):
    """A policy names a principal that does not exist."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f'Invalid principal in policy: "{kind}":"{name}"')


async def bind(db: queries.Reader, document: str) -> str:
    """A document (that its grammar accepted) as it is to be kept. Raises UnknownPrincipal."""
    content = json.loads(document)
    kept: dict[str, str] = {}
    for kind, name in list(_named(content)):
        if kind == "AWS":
            kept[name] = await bind_name(db, name)
        elif not await directory.principal_exists(db, kind, name):
            raise UnknownPrincipal(kind, name)
    bound = any(name != id for name, id in kept.items())
    return _replaced(content, lambda name: kept.get(name, name)) if bound else document


async def bind_name(db: queries.Reader, name: str) -> str:
    """One principal, such as the grantee of a grant, as it is to be kept. Raises UnknownPrincipal."""
    found = await _id_of(db, name)
    if found is None and not await directory.principal_exists(db, "AWS", name):
        raise UnknownPrincipal("AWS", name)
    return found or name


async def _id_of(db: queries.Reader, name: str) -> str | None:
    """The id of a user, of a role or of a role's session that an ARN or an id names; None for all others."""
    if match := _ID.fullmatch(name):
        return name if await db.fetch(_IDENTITIES, [match[1]]) else None
    try:
        arn = Arn.parse(name)
    except ValueError:
        return None
    sort, _, rest = arn.resource.partition("/")
    if arn.service == "sts" and sort == "assumed-role":
        role, _, session = rest.partition("/")
        row = await queries.named(db, arn.account, "role", role)
        return f"{row['id']}:{session}" if row is not None and session else None
    if arn.service != "iam" or sort not in ("user", "role"):
        return None
    row = await queries.named(db, arn.account, sort, rest.rpartition("/")[2])
    wanted = row is not None and name == f"arn:aws:iam::{arn.account}:{sort}{row['path']}{row['name']}"
    return str(row["id"]) if wanted else None


async def show(db: queries.Reader, documents: Sequence[str]) -> list[str]:
    """Documents as they are to be told: ids of those who still exist become ARNs. One SELECT at most."""
    contents = {document: json.loads(document) for document in documents if _MAYBE.search(document)}
    arns = await show_names(db, {name for content in contents.values() for _, name in _named(content)})
    if not arns:
        return list(documents)
    return [
        _replaced(contents[document], lambda name: arns.get(name, name)) if document in contents else document
        for document in documents
    ]


async def show_names(db: queries.Reader, names: Iterable[str]) -> dict[str, str]:
    """The ARNs of those of the kept names that are ids of somebody who still exists. One SELECT at most."""
    found = {name: match for name in names if (match := _ID.fullmatch(name))}
    if not found:
        return {}
    rows = {row["id"]: row for row in await db.fetch(_IDENTITIES, sorted({match[1] for match in found.values()}))}
    return {name: _arn_of(rows[match[1]], match[2]) for name, match in found.items() if match[1] in rows}


def _arn_of(row: Any, session: str | None) -> str:
    if session:
        return f"arn:aws:sts::{row['account_id']}:assumed-role/{row['name']}/{session[1:]}"
    return f"arn:aws:iam::{row['account_id']}:{row['kind']}{row['path']}{row['name']}"


def _elements(content: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for statement in statements_of(content):
        for element in ("Principal", "NotPrincipal"):
            if isinstance(statement.get(element), dict):
                yield statement[element]


def _named(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(kind, name) of every principal that a document names."""
    for element in _elements(content):
        for kind, names in element.items():
            yield from ((kind, name) for name in ([names] if isinstance(names, str) else names))


def _replaced(content: Mapping[str, Any], rename: Callable[[str], str]) -> str:
    changed = copy.deepcopy(content)
    for element in _elements(changed):
        names = element.get("AWS")
        if isinstance(names, str):
            element["AWS"] = rename(names)
        elif names is not None:
            element["AWS"] = [rename(name) for name in names]
    return json.dumps(changed, separators=(",", ":"))
