"""What other parts of the cloud may ask about identities, without going through IAM's API."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from controlplane.access import queries
from controlplane.access.policy.evaluate import NO_POLICIES, PolicySet, PrincipalPolicies, Question, Target, evaluate
from controlplane.access.policy.parse import compile_policy
from controlplane.access.policy.principals import Caller, PrincipalKind
from controlplane.access.sessions import TemporaryCredentials, issue_for_role, starting
from controlplane.core.arn import Arn
from controlplane.core.context import Unit
from controlplane.state.sealing import Sealer

ASSUME_ROLE = "sts:AssumeRole"

_ACCOUNT = re.compile(r"\d{12}")
_CANONICAL = "canonical user of "
_ACCOUNT_BY_ID = "SELECT id, name, email FROM access_accounts WHERE id = $1"
_ACCOUNT_BY_CANONICAL = """
SELECT id, name, email FROM access_accounts
WHERE encode(sha256(convert_to($2 || id, 'UTF8')), 'hex') = $1 AND closed_at IS NULL
"""
_ACCOUNT_BY_EMAIL = "SELECT id, name, email FROM access_accounts WHERE lower(email) = lower($1) AND closed_at IS NULL"
_SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com")


async def instance_profile(db: queries.Reader, account_id: str, name: str) -> Any:
    """An instance profile: `id`, `arn`, `name`, `role_name` and `role_arn` (null without a role). None if missing."""
    return await queries.instance_profile(db, account_id, name)


async def role(db: queries.Reader, role_arn: str) -> Any:
    """A role by its ARN, path included; None if there is none."""
    try:
        parsed = Arn.parse(role_arn)
    except ValueError:
        return None
    kind, _, name = parsed.resource.rpartition("/")
    if parsed.service != "iam" or not (kind == "role" or kind.startswith("role/")):
        return None
    found = await queries.role(db, parsed.account, name)
    return found if found is not None and role_arn == role_arn_of(found) else None


def role_arn_of(row: Any) -> str:
    """The ARN of a role's row."""
    return f"arn:aws:iam::{row['account_id']}:role{row['path']}{row['name']}"


def trusts_service(role_row: Any, service: str) -> bool:
    """Whether a role's trust policy lets a service, such as `ec2.amazonaws.com`, assume it."""
    arn = role_arn_of(role_row)
    policy = PolicySet([compile_policy(role_row["trust_policy"], arn)])
    target = Target(arn, role_row["account_id"], policy, trust=True, delegates=True)
    caller = Caller(PrincipalKind.SERVICE, service, "")
    return evaluate(Question(caller, ASSUME_ROLE, target), PrincipalPolicies(NO_POLICIES)).allowed


async def credentials_for_service(
    db: queries.Reader, sealer: Sealer, account_id: str, role_name: str, service: str, session_name: str, seconds: int
) -> TemporaryCredentials | None:
    """Credentials of a role for a service that acts for its owner, as an instance profile hands them out.

    None when the role is gone or does not trust the service.
    """
    found = await queries.role(db, account_id, role_name)
    if found is None or not trusts_service(found, service):
        return None
    session = starting(seconds, issuer_arn=role_arn_of(found), issuer_id=found["id"])
    credentials, _, _ = issue_for_role(sealer, found, session_name, session)
    return credentials


async def principal_exists(db: queries.Reader, kind: str, name: str) -> bool:
    """Whether the Principal element of a resource policy may name this: `kind` is AWS, Service or Federated."""
    if kind == "Service":
        return bool(_SERVICE.fullmatch(name))
    if kind != "AWS" or name == "*":
        return kind in ("AWS", "Federated")
    if _ACCOUNT.fullmatch(name):
        return await queries.account(db, name) is not None
    try:
        arn = Arn.parse(name)
    except ValueError:
        return False
    sort, _, rest = arn.resource.partition("/")
    if arn.service == "iam" and arn.resource == "root":
        return await queries.account(db, arn.account) is not None
    if arn.service == "sts" and sort == "federated-user":  # whoever calls GetFederationToken chooses the name
        return bool(rest) and await queries.account(db, arn.account) is not None
    if arn.service == "sts" and sort == "assumed-role":
        return await queries.named(db, arn.account, "role", rest.partition("/")[0]) is not None
    if arn.service != "iam" or sort not in ("user", "role"):
        return False
    row = await queries.named(db, arn.account, sort, rest.rpartition("/")[2])
    return row is not None and name == f"arn:aws:iam::{arn.account}:{sort}{row['path']}{row['name']}"


def canonical_user(account_id: str) -> str:
    """The id under which S3's access control lists know an account: 64 hexadecimal digits."""
    return hashlib.sha256(f"{_CANONICAL}{account_id}".encode()).hexdigest()


async def account(db: Unit, account_id: str) -> Any:
    """An account's `id`, `name` and `email`, closed or not; None if there is none."""
    return await db.cached_row(_ACCOUNT_BY_ID, account_id)


async def account_of_canonical_user(db: Unit, id: str) -> Any:
    """The account behind the id of an access control list; None if there is none."""
    return await db.cached_row(_ACCOUNT_BY_CANONICAL, id, _CANONICAL)


async def account_of_email(db: Unit, email: str) -> Any:
    """The account whose root user has an address; None if there is none."""
    return await db.cached_row(_ACCOUNT_BY_EMAIL, email)
