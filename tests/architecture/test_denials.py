"""Generated from the registry: every operation of every service denies a user without policies and a principal that may
do all but this, and shows and changes nothing of another account to that one's administrator."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from controlplane.core.operation import NoPermission
from controlplane.gateway.registry import Registry
from controlplane.wire.service import load
from tests.architecture import belongings
from tests.cloud import Account, Cloud
from tests.services.iam.conftest import document, trust, user_with_key
from tests.wire.generate import Generator

DENIALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
OPERATIONS = [
    (entry.name, entry.model, spec.name, isinstance(spec.on, NoPermission))
    for entry in Registry.scan().services.values()
    for spec in entry.operations.values()
]
# What a random value cannot be: the id or ARN of something that may exist. None leaves a parameter out.
GIVEN: dict[tuple[str, str], dict[str, Any]] = {
    ("ec2", "CreateTags"): {"Resources": ["vpc-0123456789abcdef0"]},
    ("ec2", "DeleteTags"): {"Resources": ["vpc-0123456789abcdef0"]},
    ("sts", "AssumeRole"): {
        "RoleArn": "arn:aws:iam::123456789012:role/some",
        "RoleSessionName": "session",
        "SerialNumber": None,  # a wrong MFA code is refused before anything else
        "TokenCode": None,
    },
}

GIVEN |= {("sesv2", name): {"EndpointId": None} for name in ("SendEmail", "SendBulkEmail")}  # boto3 makes a host of it
GIVEN[("route53", "GetHostedZone")] = {"Id": "Z0123456789ABCDEFGHIJ"}  # of others boto3 takes what follows a slash

# One bucket for all, so that what is made of random values meets one that is there. Left out is what boto3 itself
# refuses when it is random, and what asks for another permission.
GIVEN |= {
    ("s3", name): {
        member: value
        for member, value in {
            "Bucket": "denied-to-everybody",
            "ChecksumAlgorithm": None,
            "ContentLength": None,
            "Metadata": None,
            "VersionId": None,
        }.items()
        if member in load("s3").operation(name).input_shape.members
    }
    for service, _, name, _ in OPERATIONS
    if service == "s3" and name != "ListBuckets"
}
GIVEN |= {  # S3 reads an encoded slash of a path otherwise than boto3 signs it; no name has one
    ("s3control", name): {"Name": "denied-to-everybody"}
    for service, _, name, _ in OPERATIONS
    if service == "s3control" and "Name" in load("s3control").operation(name).input_shape.members
}
BODILESS = {"HeadBucket", "HeadObject"}
"""Their refusals have no body that could say more than the status."""

# What would take the attacker out of the place that it attacks from.
LEAVING = {("organizations", "LeaveOrganization"), ("organizations", "DeleteOrganization")}
UNSPOKEN = {
    ("rolesanywhere", "CreateSession"),
    ("s3", "GetWebsitePage"),
    ("s3", "PostObject"),
    ("s3", "PreflightBucket"),
    ("s3", "PreflightObject"),
}
"""What boto3 has no method for."""
NAMELESS = {"ce"}
"""Services whose requests name nothing that an account has."""
NOTES_SECONDS = 1.5
"""So long after a use of a key or role the note of it may be written."""


@pytest.fixture(scope="module")
def nobody(cloud: Cloud) -> Account:
    """A user of a fresh account that may do nothing."""
    return user_with_key(cloud.new_account(), "nobody")


@pytest.mark.parametrize(
    ("service", "model", "operation"),
    [(service, model, operation) for service, model, operation, free in OPERATIONS if not free],
    ids=lambda value: str(value),
)
def test_denied_without_permission(nobody: Account, service: str, model: str, operation: str) -> None:
    error = _refused(nobody, service, model, operation)
    if operation in BODILESS:
        assert error["Code"] == "403"
        return
    assert error["Code"] in DENIALS, error
    assert f"User: arn:aws:iam::{nobody.id}:user/nobody is not authorized to perform: " in error["Message"]
    assert "because no " in error["Message"]


def test_only_few_operations_need_no_permission() -> None:
    assert {(service, operation) for service, _, operation, free in OPERATIONS if free} == {
        ("rolesanywhere", "CreateSession"),
        ("s3", "GetWebsitePage"),  # shows what anybody may read
        ("s3", "PostObject"),  # the form's policy is signed, and its signer asked about
        ("s3", "PreflightBucket"),
        ("s3", "PreflightObject"),
        ("sts", "AssumeRoleWithSAML"),
        ("sts", "AssumeRoleWithWebIdentity"),
        ("sts", "GetCallerIdentity"),
        ("sts", "GetSessionToken"),
    }


@pytest.fixture(scope="module")
def powers(cloud: Cloud) -> Powers:
    return Powers(cloud.new_account())


class Powers:
    """A role that may do everything. Its sessions may do all but one action: the session policy, which travels in the
    token, says so to every worker at once."""

    def __init__(self, account: Account) -> None:
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        self._account = account
        iam = account.client("iam")
        iam.create_role(RoleName="all", AssumeRolePolicyDocument=trust({"AWS": account.id}))
        iam.put_role_policy(RoleName="all", PolicyName="all", PolicyDocument=document(everything))
        self._sts = user_with_key(account, "admin", everything).client("sts")

    def all_but(self, action: str, model: str) -> Any:
        """A client of a session that may do everything but one action."""
        made = self._sts.assume_role(
            RoleArn=f"arn:aws:iam::{self._account.id}:role/all",
            RoleSessionName="almost",
            Policy=document({"Effect": "Allow", "NotAction": action, "Resource": "*"}),
        )["Credentials"]
        session = Account(self._account.endpoint, self._account.id, made["AccessKeyId"], made["SecretAccessKey"])
        return session.client(model, aws_session_token=made["SessionToken"])


@pytest.mark.parametrize("service", sorted({service for service, _, _, free in OPERATIONS if not free}))
def test_denied_with_every_other_permission(powers: Powers, service: str) -> None:
    entry = Registry.scan().services[service]
    for owner, model, name, free in OPERATIONS:
        if owner == service and not free:
            action = entry.action(entry.operations[name])
            error = _error(powers.all_but(action, model), service, model, name)
            if name in BODILESS:
                assert error["Code"] == "403", (name, error)
                continue
            assert error["Code"] in DENIALS, (name, error)
            assert f"is not authorized to perform: {action}" in error["Message"], (name, error)
            assert f"because no session policy allows the {action} action" in error["Message"], (name, error)


# What tells of other accounts by its nature: whose a key is, and whom an invitation goes to.
TELLING = {("sts", "GetAccessKeyInfo"), ("organizations", "InviteAccountToOrganization")}


@dataclass(frozen=True)
class Neighbours:
    """Two accounts that both have something of every service; the second one's administrator attacks the first."""

    victim: Account
    attacker: Account
    known: dict[str, belongings.Known]
    secrets: set[str]
    """What the attacker cannot know; what it has used to name things of its own is no secret any more."""
    everything: frozenset[str]


@pytest.fixture(scope="module")
def neighbours(cloud: Cloud) -> Neighbours:
    victim, attacker = cloud.new_account(), cloud.new_account()
    for account in (victim, attacker):
        belongings.fill(account)
    known, others = belongings.harvest(victim), belongings.harvest(attacker)
    time.sleep(NOTES_SECONDS)
    secrets = belongings.secrets_of(belongings.merged(known), belongings.merged(others))
    return Neighbours(victim, attacker, known, secrets, frozenset(secrets))


def test_enough_is_known_to_attack_with(neighbours: Neighbours) -> None:
    assert {"VpcId", "GroupId", "UserName", "RoleName", "Arn", "AllocationId"} <= set(
        belongings.merged(neighbours.known)
    )
    assert len(neighbours.secrets) > 50


@pytest.mark.parametrize("service", sorted({service for service, *_ in OPERATIONS}))
def test_another_accounts_administrator_sees_and_changes_nothing(
    cloud: Cloud, neighbours: Neighbours, service: str
) -> None:
    """Every operation, with all that is known of the other account's things in its request: first those that read,
    then those that write, which may give the attacker's own things the same names."""
    before, named = belongings.rows_of(cloud, neighbours.victim.id), 0
    known = belongings.nearest(neighbours.known, service, neighbours.secrets)
    for owner, model, name, _ in sorted(OPERATIONS, key=lambda item: not item[2].startswith(belongings.READING)):
        if owner != service or (service, name) in TELLING | LEAVING | UNSPOKEN:
            continue
        client = neighbours.attacker.client(model)
        for full, pick in product((False, True), (0, -1)):  # all members or those that fit; the first or the last value
            parameters = belongings.request(
                model, name, known, full=full, pick=pick, given=GIVEN.get((service, name), {})
            )
            if parameters is None:
                break
            sent = {value for _, value in belongings.strings(parameters)}
            named += bool(sent & neighbours.everything)
            told = {value for _, value in belongings.strings(_answer(client, name, parameters))}
            leaked = told & neighbours.secrets - sent
            assert not leaked, (name, parameters)
            if not name.startswith(belongings.READING):
                neighbours.secrets.difference_update(sent)
    assert belongings.rows_of(cloud, neighbours.victim.id) == before
    assert named or service in NAMELESS


def _answer(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
    """What an attack is answered; a refusal must be one of the caller's faults, or of something that is not built."""
    try:
        return client._make_api_call(operation, parameters)
    except ParamValidationError:
        return {}
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert status < 500 or status == 501, (operation, parameters, error)
        return {key: value for key, value in error.response.items() if key not in ("Error", "message")}


def _refused(user: Account, service: str, model: str, operation: str) -> dict[str, str]:
    return _error(user.client(model), service, model, operation)


def _error(client: Any, service: str, model: str, operation: str) -> dict[str, str]:
    shape = load(model).operation(operation).input_shape
    generator = Generator(Random(operation), load(model).protocols[0])
    parameters = generator.value(shape) if shape is not None else {}
    parameters |= GIVEN.get((service, operation), {})
    parameters = {name: value for name, value in parameters.items() if value is not None}
    with pytest.raises(ClientError) as refused:
        client._make_api_call(operation, parameters)
    return dict(refused.value.response["Error"])
