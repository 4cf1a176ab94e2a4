"""The authorizer over a real database: what it asks, what it raises, what it writes down."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from controlplane.access import accounts, explain
from controlplane.access.authorize import Authorizer, caller_of
from controlplane.access.principals import Principals, announce
from controlplane.access.recorder import Recorder
from controlplane.core.context import Context, Runtime
from controlplane.core.errors import AwsError
from controlplane.core.ids import request_id
from controlplane.core.operation import Resource
from controlplane.core.principal import ANONYMOUS, Principal, service_principal
from controlplane.state.database import Database
from controlplane.state.listen import Listener
from controlplane.state.sealing import Sealer

OPEN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def policy(effect: str, action: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": effect, "Action": action, "Resource": resource, **more}],
    }


@dataclass
class Court:
    """An authorizer, one account and one user in it."""

    authorizer: Authorizer
    recorder: Recorder
    database: Database
    account: str
    user: Principal

    async def grant(self, **documents: dict[str, Any]) -> None:
        """Give the user inline policies by name."""
        async with self.database.unit() as db:
            for name, document in documents.items():
                await db.insert(
                    "access_inline_policies",
                    identity_id=self.user.user_id,
                    name=name,
                    document=json.dumps(document),
                )
            await announce(db, self.account)

    def context(self, service: str = "sqs", principal: Principal | None = None, **more: Any) -> Context:
        caller = principal or self.user
        base = Context(
            request_id(), caller.account_id or self.account, "us-east-1", service, "Operation", caller,
            cast(Any, self.database), cast(Runtime, None),
        )  # fmt: skip
        return replace(base, **more)

    async def ask(self, action: str, *resources: Resource, **context: Any) -> Context:
        ctx = self.context(service=action.split(":")[0], **context)
        await self.authorizer.authorize(ctx, action, resources or [Resource("*")])
        return ctx

    async def denied(self, action: str, *resources: Resource, **context: Any) -> AwsError:
        with pytest.raises(AwsError) as caught:
            await self.ask(action, *resources, **context)
        return caught.value


@pytest.fixture
async def court(database: Database, database_url: str, sealer: Sealer) -> AsyncIterator[Court]:
    listener = Listener(database_url)
    principals = Principals(database, sealer, listener)
    listener.start()
    while not listener.connected:
        await asyncio.sleep(0.01)
    recorder = Recorder(database)
    async with database.unit() as db:
        account = await accounts.create(db, sealer, f"test {secrets.token_hex(6)}")
        id = f"AIDA{secrets.token_hex(8).upper()}"
        await db.insert(
            "access_identities", id=id, account_id=account.id, kind="user", name="ann", path="/", tags={"team": "red"}
        )
    arn = f"arn:aws:iam::{account.id}:user/ann"
    user = Principal("user", account.id, arn, id, "ann", "AKIA1")
    yield Court(Authorizer(principals, sealer, recorder), recorder, database, account.id, user)
    await listener.stop()


@pytest.mark.parametrize(
    ("action", "code", "status"),
    [
        ("sqs:SendMessage", "AccessDeniedException", 400),
        ("iam:GetUser", "AccessDenied", 403),
        ("lambda:InvokeFunction", "AccessDeniedException", 403),
        ("ec2:RunInstances", "UnauthorizedOperation", 403),
        ("s3:GetObject", "AccessDenied", 403),
        ("sns:Publish", "AuthorizationError", 403),
    ],
)
async def test_every_family_denies_in_its_own_words(court: Court, action: str, code: str, status: int) -> None:
    error = await court.denied(action, Resource(f"arn:aws:x:us-east-1:{court.account}:thing"))
    assert (error.code, error.status) == (code, status)
    quote = '"' if action.startswith("s3:") else ""
    told = f"User: {court.user.arn} is not authorized to perform: {action} on resource: {quote}arn:aws:x:"
    assert told in error.message
    assert f"because no identity-based policy allows the {action} action" in error.message


async def test_every_resource_must_be_allowed(court: Court) -> None:
    one, two = f"arn:aws:sqs:us-east-1:{court.account}:one", f"arn:aws:sqs:us-east-1:{court.account}:two"
    await court.grant(p=policy("Allow", "sqs:*", one))
    await court.ask("sqs:SendMessage", Resource(one))
    error = await court.denied("sqs:SendMessage", Resource(one), Resource(two))
    assert two in error.message


async def test_condition_values(court: Court) -> None:
    wanted = {
        "StringEquals": {
            "aws:username": "ann",
            "aws:PrincipalTag/team": "red",
            "aws:ResourceTag/stage": "test",
            "sqs:Special": "yes",
            "aws:RequestTag/owner": "ann",
            "aws:RequestedRegion": "us-east-1",
            "aws:PrincipalAccount": court.account,
            "aws:PrincipalType": "User",
            "aws:UserAgent": "curl",
        },
        "ArnEquals": {"aws:PrincipalArn": court.user.arn},
        "IpAddress": {"aws:SourceIp": "192.0.2.0/24"},
        "Bool": {"aws:SecureTransport": "true", "aws:ViaAWSService": "false"},
        "DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"},
        "NumericGreaterThan": {"aws:EpochTime": "1500000000"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["owner"]},
        "Null": {"aws:MultiFactorAuthPresent": "true", "aws:TokenIssueTime": "true"},
    }
    await court.grant(p=policy("Allow", "sqs:*", Condition=wanted))
    resource = Resource(
        f"arn:aws:sqs:us-east-1:{court.account}:q", tags={"stage": "test"}, conditions={"sqs:Special": "yes"}
    )
    good = {
        "source_ip": "192.0.2.9",
        "secure": True,
        "user_agent": "curl",
        "request": {"Tags": [{"Key": "owner", "Value": "ann"}]},
    }
    await court.ask("sqs:CreateQueue", resource, **good)
    for name, value in {"source_ip": "192.0.3.9", "secure": False, "region": "eu-west-1", "request": {}}.items():
        await court.denied("sqs:CreateQueue", resource, **{**good, name: value})


async def test_resource_policies(court: Court) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": court.user.arn}, "Action": "sqs:SendMessage", "Resource": "*"}
    own = {"Version": "2012-10-17", "Statement": statement}
    await court.ask("sqs:SendMessage", Resource(f"arn:aws:sqs:us-east-1:{court.account}:q", policy=own))
    away = "arn:aws:sqs:us-east-1:999999999999:q"
    error = await court.denied("sqs:SendMessage", Resource(away, policy=own))
    assert "no identity-based policy" in error.message
    await court.grant(p=OPEN)
    await court.ask("sqs:SendMessage", Resource(away, policy=own))
    error = await court.denied("sqs:ReceiveMessage", Resource(away, policy=own))
    assert "no resource-based policy" in error.message
    await court.denied("sqs:SendMessage", Resource(away))


async def test_an_owner_that_the_arn_does_not_tell(court: Court) -> None:
    await court.grant(p=OPEN)
    bucket = "arn:aws:s3:::b/k"
    await court.ask("s3:GetObject", Resource(bucket))
    await court.denied("s3:GetObject", Resource(bucket, conditions={"aws:ResourceAccount": "999999999999"}))


async def test_organization_policies(court: Court) -> None:
    await court.grant(p=OPEN)
    await court.ask("sqs:ListQueues")
    async with court.database.unit() as db:
        levels = {
            "service_control": [
                [{"Arn": "arn:full", "Document": OPEN}, {"Arn": "arn:no", "Document": policy("Deny", "sqs:*")}]
            ]
        }
        await db.execute("UPDATE access_accounts SET organization = $2 WHERE id = $1", court.account, levels)
        await announce(db, court.account)
    error = await court.denied("sqs:ListQueues")
    assert "with an explicit deny in a service control policy" in error.message
    root = Principal("root", court.account, f"arn:aws:iam::{court.account}:root", court.account)
    await court.denied("sqs:ListQueues", principal=root)
    await court.ask("iam:ListUsers", principal=root)


async def test_callers_without_identity(court: Court) -> None:
    public = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"},
    }
    await court.ask("s3:GetObject", Resource("arn:aws:s3:::b/k", policy=public), principal=ANONYMOUS)
    error = await court.denied("s3:GetObject", Resource("arn:aws:s3:::b/k"), principal=ANONYMOUS)
    assert error.message == "Access Denied", "S3 tells strangers nothing"
    error = await court.denied("sqs:SendMessage", principal=ANONYMOUS)
    assert error.message.startswith("User: Anonymous is not authorized")
    await court.denied("sqs:SendMessage", principal=service_principal("sns.amazonaws.com", court.account))


async def test_a_principal_that_is_gone(court: Court) -> None:
    gone = replace(court.user, user_id="AIDAGONE")
    assert (await court.denied("iam:GetUser", principal=gone)).code == "InvalidClientTokenId"


def test_only_roles_of_services_are_service_linked() -> None:
    """A path may hold almost anything: no name may pose as a service-linked role."""

    def session(kind: Any, issuer: str) -> Principal:
        return Principal(kind, "1", "arn:aws:sts::1:x/y", "id", session={"issuer_arn": issuer, "issuer_id": "id"})

    assert caller_of(session("assumed-role", "arn:aws:iam::1:role/aws-service-role/ec2.amazonaws.com/R")).service_linked
    for kind, issuer in (
        ("assumed-role", "arn:aws:iam::1:role/x:role/aws-service-role/R"),
        ("assumed-role", "arn:aws:iam::1:role/R"),
        ("federated-user", "arn:aws:iam::1:user/x:role/aws-service-role/bob"),
        ("federated-user", "arn:aws:iam::1:user/aws-service-role/bob"),
    ):
        assert not caller_of(session(kind, issuer)).service_linked


async def test_pass_role(court: Court) -> None:
    arn = f"arn:aws:iam::{court.account}:role/app"
    trusted = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    }
    async with court.database.unit() as db:
        await db.insert(
            "access_identities", id=f"AROA{secrets.token_hex(8)}", account_id=court.account, kind="role", name="app",
            path="/", trust_policy=json.dumps(trusted),
        )  # fmt: skip
    passing = court.authorizer.pass_role
    with pytest.raises(AwsError) as caught:
        await passing(court.context("ec2"), arn, "ec2.amazonaws.com")
    assert "iam:PassRole" in caught.value.message
    only = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    await court.grant(p=policy("Allow", "iam:PassRole", arn, Condition=only))
    await passing(court.context("ec2"), arn, "ec2.amazonaws.com")
    with pytest.raises(AwsError):
        await passing(court.context("lambda"), arn, "lambda.amazonaws.com")
    await court.grant(q=OPEN)
    with pytest.raises(AwsError, match="cannot be assumed by lambda"):
        await passing(court.context("lambda"), arn, "lambda.amazonaws.com")
    with pytest.raises(AwsError):
        await passing(court.context("ec2"), "arn:aws:iam::999999999999:role/app", "ec2.amazonaws.com")


async def test_denials_are_written_down_and_explained(court: Court) -> None:
    secure = {"Bool": {"aws:SecureTransport": "false"}}
    await court.grant(p=OPEN, no=policy("Deny", "sqs:*", Sid="NotInClear", Condition=secure))
    ctx = court.context("sqs")
    with pytest.raises(AwsError):
        await court.authorizer.authorize(ctx, "sqs:SendMessage", [Resource("*")])
    await court.recorder.flush()
    [decision] = await explain.find(court.database, ctx.request_id)
    told = "\n".join(explain.tell(decision))
    assert told.startswith("Denied ")
    for text in (
        f"principal  {court.user.arn}",
        "action     sqs:SendMessage",
        "statement 1 (NotInClear) of user/ann/no denies it (identity-based policy)",
        "identity-based policy: user/ann/no, user/ann/p",
        "condition key aws:SecureTransport: false",
    ):
        assert text in told
    assert court.user.access_key_id not in told


async def test_what_callers_write_cannot_steer_a_terminal(court: Court) -> None:
    await court.grant(p=policy("Allow", "sqs:*", Condition={"StringEquals": {"aws:UserAgent": "x"}}))
    ctx = court.context("sqs", user_agent="\x1b[2Jevil\r\n" + "a" * 5000)
    with pytest.raises(AwsError):
        await court.authorizer.authorize(ctx, "sqs:SendMessage", [Resource("*")])
    await court.recorder.flush()
    [decision] = await explain.find(court.database, ctx.request_id)
    told = list(explain.tell(decision))
    assert all(line.isprintable() and len(line) < 400 for line in told)
    assert "\\x1b[2Jevil" in "".join(told)


async def test_nobody_can_spoil_the_notes_about_others(court: Court) -> None:
    await court.grant(p=policy("Allow", "sqs:*", Condition={"StringEquals": {"aws:RequestTag/a": "x"}}))
    contexts = [court.context("sqs", request={"Tags": {"a": value}}) for value in ("\x00", "\ud800", "fine")]
    for ctx in contexts:
        with pytest.raises(AwsError):
            await court.authorizer.authorize(ctx, "sqs:SendMessage", [Resource(f"arn:aws:sqs:::{ctx.request}")])
    await court.recorder.flush()
    assert all([await explain.find(court.database, ctx.request_id) for ctx in contexts])


async def test_allowances_are_written_as_far_as_there_is_room(court: Court) -> None:
    await court.grant(p=OPEN)
    ctx = await court.ask("sqs:ListQueues")
    for _ in range(100):
        await court.ask("sqs:ListQueues")
    await court.recorder.flush()
    [decision] = await explain.find(court.database, ctx.request_id)
    assert "statement 1 of user/ann/p allows it" in "\n".join(explain.tell(decision))
    kept = await court.database.fetch("SELECT 1 FROM access_decisions WHERE account_id = $1", court.account)
    assert len(kept) == 25
