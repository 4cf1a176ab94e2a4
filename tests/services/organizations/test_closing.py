"""Closing an account: its keys stop at once, and nothing of it is left."""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from controlplane.state.database import Database
from controlplane.state.erasure import erase
from tests.architecture import belongings
from tests.cloud import Account, Cloud
from tests.machines import make_lab
from tests.services.ec2 import belongings as ec2_things
from tests.services.iam import belongings as iam_things
from tests.services.iam.conftest import allow, document
from tests.services.organizations.conftest import Organization
from tests.services.organizations.test_organizations import code, reason

LEFT = {"access_accounts", "access_decisions", "access_trail_chunks", "ec2_images"}


def wait_until_freed(organization: Organization, account: Account, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while organization.client.describe_account(AccountId=account.id)["Account"]["Status"] != "SUSPENDED":
        assert time.monotonic() < deadline
        time.sleep(0.2)


def rows_left(cloud: Cloud, account: Account) -> set[str]:
    """Tables that hold something of an account, its organization's aside."""
    empty = ""
    return {
        table
        for table, digest in belongings.rows_of(cloud, account.id).items()
        if digest != empty and not table.startswith("organizations_")
    }


def open_queue(account: Account) -> str:
    """URL of a queue that lets everybody in."""
    everything = {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    return str(account.client("sqs").create_queue(QueueName="open", Attributes={"Policy": policy})["QueueUrl"])


def test_keys_stop_at_once_and_nothing_is_left(organization: Organization, cloud: Cloud) -> None:
    student, client = organization.make_account(), organization.client
    ec2_things.make(student)
    iam_things.make(student)
    session = student.client("sts").get_session_token()["Credentials"]
    temporary = Account(student.endpoint, student.id, session["AccessKeyId"], session["SecretAccessKey"])
    as_session = temporary.client("ec2", aws_session_token=session["SessionToken"])
    clients = [student.client("ec2") for _ in range(6)]
    for ec2 in (*clients, as_session):
        ec2.describe_vpcs()
    queue = open_queue(student)
    stranger = [cloud.new_account().client("sqs") for _ in range(2)]
    for sqs in stranger:
        sqs.send_message(QueueUrl=queue, MessageBody="text")
    assert {"ec2_vpcs", "ec2_routes", "ec2_public_addresses", "access_keys"} <= rows_left(cloud, student)
    client.close_account(AccountId=student.id)
    time.sleep(0.1)
    assert [code(ec2.describe_vpcs) for ec2 in clients] == ["AuthFailure"] * 6
    assert code(as_session.describe_vpcs) == "AuthFailure"
    for sqs in stranger:
        assert code(lambda sqs=sqs: sqs.send_message(QueueUrl=queue, MessageBody="text")) == "AccessDeniedException"
    wait_until_freed(organization, student)
    assert rows_left(cloud, student) <= LEFT
    assert code(lambda: client.close_account(AccountId=student.id)) == "AccountAlreadyClosedException"
    assert reason(lambda: client.close_account(AccountId=organization.management.id)) == (
        "CANNOT_CLOSE_MANAGEMENT_ACCOUNT"
    )
    sts = organization.administrator().client("sts")
    role = f"arn:aws:iam::{student.id}:role/OrganizationAccountAccessRole"
    assert code(lambda: sts.assume_role(RoleArn=role, RoleSessionName="session")) == "AccessDenied"


def test_others_keep_all_that_they_have(organization: Organization, cloud: Cloud) -> None:
    student, other = organization.make_account(), organization.make_account()
    for account in (student, other):
        ec2_things.make(account)
    before = belongings.rows_of(cloud, other.id)
    organization.client.close_account(AccountId=student.id)
    wait_until_freed(organization, student)
    after = belongings.rows_of(cloud, other.id)
    noted = {"access_keys", "access_identities", "access_trail_chunks"}  # uses and calls, written behind the requests
    assert {table for table in before if before[table] != after[table]} <= noted | {
        table for table in before if table.startswith("organizations_")
    }
    other.client("ec2").describe_vpcs()


def test_the_owner_closes_accounts_by_command(cloud: Cloud) -> None:
    name = f"class-{uuid.uuid4().hex[:8]}"
    cloud.celaje("account", "add", name)
    assert f"{name} (" in cloud.celaje("account", "close", name, "--yes")
    line = next(line for line in cloud.celaje("account", "list").splitlines() if line.startswith(name))
    assert line.split()[-1] in ("closing", "closed")
    assert cloud.try_celaje("account", "close", name, "--yes").returncode != 0
    assert cloud.try_celaje("env", "--account", name).returncode != 0
    cloud.celaje("account", "add", name)  # the name is free again


async def test_erasing_follows_references_and_leaves_the_rest(database: Database) -> None:
    async with database.unit() as db:
        for account in ("111111111111", "222222222222"):
            await db.insert("access_accounts", id=account, name=account)
            user, policy = f"AIDA{account}", f"arn:aws:iam::{account}:policy/p"
            await db.insert("access_identities", id=user, account_id=account, kind="user", name="u", path="/")
            await db.execute(
                "INSERT INTO access_policies (arn, id, account_id, name, path, default_version, last_version) "
                "VALUES ($1, $1, $2, 'p', '/', 1, 1)",
                policy,
                account,
            )
            await db.insert("access_policy_versions", policy_arn=policy, version=1, document=document(allow("*")))
            await db.insert("access_attachments", identity_id=user, policy_arn=policy)
            await db.insert("access_inline_policies", identity_id=user, name="i", document=document(allow("*")))
    async with database.unit() as db:
        order = await erase(db, "111111111111")
        assert order.index("access_attachments") < order.index("access_identities")
        for table in ("access_identities", "access_policies", "access_attachments", "access_inline_policies"):
            assert await db.fetchval(f"SELECT count(*) FROM {table}") == 1
        await erase(db, "111111111111")


@pytest.mark.machines
def test_machines_of_a_closed_account_are_gone_from_their_host(
    organization: Organization, cloud: Cloud, tiny_image: str, tmp_path: Path
) -> None:
    """While the worker is killed in the midst of it."""
    student = organization.make_account()
    lab = make_lab(student, tiny_image, tmp_path)
    [instance] = lab.launch(DisableApiTermination=True)
    address = lab.wait(instance, "running")["PublicIpAddress"]
    lab.ssh(instance, "true")
    organization.client.close_account(AccountId=student.id)
    os.kill(cloud.process("worker")["pid"], signal.SIGKILL)
    wait_until_freed(organization, student, 90)
    assert lab.try_ssh(address, "true").returncode == 255
    assert rows_left(cloud, student) <= LEFT
    assert not [path for path in (cloud.home / "agent").rglob(f"*{instance}*") if path.suffix != ".log"]
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if instance.encode() in _read(path)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_closed_account_cannot_be_used_by_its_members_sessions(organization: Organization) -> None:
    """A role session that began before the account was closed ends with it."""
    student = organization.make_account()
    made = (
        organization.administrator()
        .client("sts")
        .assume_role(
            RoleArn=f"arn:aws:iam::{student.id}:role/OrganizationAccountAccessRole", RoleSessionName="session"
        )["Credentials"]
    )
    session = Account(student.endpoint, student.id, made["AccessKeyId"], made["SecretAccessKey"])
    sts = session.client("sts", aws_session_token=made["SessionToken"])
    assert sts.get_caller_identity()["Account"] == student.id
    organization.client.close_account(AccountId=student.id)
    time.sleep(0.1)
    with pytest.raises(ClientError) as refused:
        sts.get_caller_identity()
    assert refused.value.response["Error"]["Code"] == "InvalidClientTokenId"
