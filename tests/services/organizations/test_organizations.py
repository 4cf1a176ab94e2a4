"""Organizations through boto3: the tree, accounts, invitations, and policies that bind all other services."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud import Account, Cloud
from tests.services.iam.conftest import allow, deny, document
from tests.services.organizations.conftest import Organization


def code(call: Callable[[], Any]) -> str:
    """The error code that a call is refused with."""
    with pytest.raises(ClientError) as refused:
        call()
    return str(refused.value.response["Error"]["Code"])


def reason(call: Callable[[], Any]) -> str:
    """The reason of a modelled error."""
    with pytest.raises(ClientError) as refused:
        call()
    return str(refused.value.response["Reason"])


def test_an_account_is_made_and_usable_at_once(organization: Organization) -> None:
    client = organization.client
    email = f"{uuid.uuid4().hex}@example.com"
    status = client.create_account(Email=email, AccountName="ada", Tags=[{"Key": "class", "Value": "1a"}])
    assert status["CreateAccountStatus"]["State"] == "IN_PROGRESS"
    assert "AccountId" not in status["CreateAccountStatus"]
    done = organization.made(status)
    assert done["State"] == "SUCCEEDED" and done["CompletedTimestamp"] >= done["RequestedTimestamp"]
    id = done["AccountId"]
    (about,) = [item for item in client.list_accounts()["Accounts"] if item["Id"] == id]
    assert (about["Email"], about["Name"], about["Status"], about["JoinedMethod"]) == (
        email,
        "ada",
        "ACTIVE",
        "CREATED",
    )
    assert about["Arn"].startswith(f"arn:aws:organizations::{organization.management.id}:account/o-")
    assert client.list_tags_for_resource(ResourceId=id)["Tags"] == [{"Key": "class", "Value": "1a"}]
    assert client.list_parents(ChildId=id)["Parents"] == [{"Id": organization.root, "Type": "ROOT"}]
    student = organization.enter(id)
    assert student.client("sts").get_caller_identity()["Account"] == id
    assert len(student.client("ec2").describe_vpcs()["Vpcs"]) == 1
    assert student.client("organizations").describe_organization()["Organization"]["Id"] == organization.about["Id"]
    again = organization.made(client.create_account(Email=email.upper(), AccountName="ada"))
    assert (again["State"], again["FailureReason"]) == ("FAILED", "EMAIL_ALREADY_EXISTS")


def test_units_nest_five_deep_and_must_be_empty_to_go(organization: Organization) -> None:
    client, parent, units = organization.client, organization.root, []
    for depth in range(5):
        unit = client.create_organizational_unit(ParentId=parent, Name=f"level {depth}")["OrganizationalUnit"]
        units.append(unit)
        parent = unit["Id"]
    assert units[-1]["Path"].count("ou-") == 5
    assert reason(lambda: client.create_organizational_unit(ParentId=parent, Name="x")) == "OU_DEPTH_LIMIT_EXCEEDED"
    twin = {"ParentId": organization.root, "Name": "level 0"}
    assert code(lambda: client.create_organizational_unit(**twin)) == "DuplicateOrganizationalUnitException"
    assert code(lambda: client.delete_organizational_unit(OrganizationalUnitId=units[0]["Id"])) == (
        "OrganizationalUnitNotEmptyException"
    )
    renamed = client.update_organizational_unit(OrganizationalUnitId=units[4]["Id"], Name="leaf")["OrganizationalUnit"]
    assert renamed["Name"] == "leaf"
    children = client.list_children(ParentId=units[0]["Id"], ChildType="ORGANIZATIONAL_UNIT")["Children"]
    assert [child["Id"] for child in children] == [units[1]["Id"]]
    for unit in reversed(units):
        client.delete_organizational_unit(OrganizationalUnitId=unit["Id"])
    assert client.list_organizational_units_for_parent(ParentId=organization.root)["OrganizationalUnits"] == []


def test_a_service_control_policy_binds_everybody_in_the_account(organization: Organization, cloud: Cloud) -> None:
    organization.enable()
    student = organization.make_account()
    client, ec2, iam = organization.client, student.client("ec2"), student.client("iam")
    unit = client.create_organizational_unit(ParentId=organization.root, Name="class")["OrganizationalUnit"]["Id"]
    client.move_account(AccountId=student.id, SourceParentId=organization.root, DestinationParentId=unit)
    no_vpcs = organization.policy(deny("ec2:CreateVpc"))
    ec2.create_vpc(CidrBlock="10.0.0.0/16")
    client.attach_policy(PolicyId=no_vpcs, TargetId=unit)
    with pytest.raises(ClientError) as refused:
        ec2.create_vpc(CidrBlock="10.1.0.0/16")
    assert "with an explicit deny in a service control policy" in refused.value.response["Error"]["Message"]
    ec2.describe_vpcs()
    root = root_of(cloud, student)
    assert code(lambda: root.client("ec2").create_vpc(CidrBlock="10.2.0.0/16")) == "UnauthorizedOperation"
    organization.management.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")  # the management account is not bound
    # Only what every level allows is allowed: replace FullAWSAccess on the unit.
    only_ec2 = organization.policy(allow("ec2:*"))
    client.attach_policy(PolicyId=only_ec2, TargetId=unit)
    client.detach_policy(PolicyId="p-FullAWSAccess", TargetId=unit)
    with pytest.raises(ClientError) as refused:
        iam.list_users()
    assert "because no service control policy allows" in refused.value.response["Error"]["Message"]
    client.detach_policy(PolicyId=no_vpcs, TargetId=unit)
    ec2.create_vpc(CidrBlock="10.3.0.0/16")
    client.move_account(AccountId=student.id, SourceParentId=unit, DestinationParentId=organization.root)
    iam.list_users()


def root_of(cloud: Cloud, account: Account) -> Account:
    """The root user of an account, whose key only the cloud's owner can read."""
    exports = dict(re.findall(r"export (\w+)='?([^'\n]+)'?", cloud.celaje("env", "--account", account.id)))
    return Account(account.endpoint, account.id, exports["AWS_ACCESS_KEY_ID"], exports["AWS_SECRET_ACCESS_KEY"])


def test_policies_take_effect_in_all_workers_within_a_second(organization: Organization) -> None:
    organization.enable()
    student = organization.make_account()
    clients = [student.client("ec2") for _ in range(8)]  # each keeps its own connection, spread over the workers
    for client in clients:
        client.describe_vpcs()
    policy = organization.policy(deny("ec2:Describe*"))
    organization.client.attach_policy(PolicyId=policy, TargetId=student.id)
    deadline = time.monotonic() + 1.0
    while any(_may(client) for client in clients):
        assert time.monotonic() < deadline
    organization.client.update_policy(PolicyId=policy, Content=document(deny("ec2:CreateVpc")))
    deadline = time.monotonic() + 1.0
    while not all(_may(client) for client in clients):
        assert time.monotonic() < deadline


def _may(client: Any) -> bool:
    try:
        client.describe_vpcs()
    except ClientError:
        return False
    return True


def test_attachments_have_bounds(organization: Organization) -> None:
    client, root = organization.client, organization.root
    policy = organization.policy(allow("*"))
    assert code(lambda: client.attach_policy(PolicyId=policy, TargetId=root)) == "PolicyTypeNotEnabledException"
    organization.enable()
    assert code(organization.enable) == "PolicyTypeAlreadyEnabledException"
    client.attach_policy(PolicyId=policy, TargetId=root)
    assert code(lambda: client.attach_policy(PolicyId=policy, TargetId=root)) == "DuplicatePolicyAttachmentException"
    assert code(lambda: client.delete_policy(PolicyId=policy)) == "PolicyInUseException"
    for _ in range(3):
        client.attach_policy(PolicyId=organization.policy(allow("*")), TargetId=root)
    sixth = organization.policy(allow("*"))
    assert reason(lambda: client.attach_policy(PolicyId=sixth, TargetId=root)) == (
        "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED"
    )
    filter = {"TargetId": root, "Filter": "SERVICE_CONTROL_POLICY"}
    attached = [item["Id"] for item in client.list_policies_for_target(**filter)["Policies"]]
    for id in attached[1:]:
        client.detach_policy(PolicyId=id, TargetId=root)
    assert reason(lambda: client.detach_policy(PolicyId=attached[0], TargetId=root)) == (
        "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED"
    )
    assert reason(lambda: client.delete_policy(PolicyId="p-FullAWSAccess")) == "IMMUTABLE_POLICY"
    bad = {"Description": "", "Name": "x", "Type": "SERVICE_CONTROL_POLICY"}
    principal = document({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"})
    for content in ("{", '{"Statement": []}', principal):
        assert code(lambda c=content: client.create_policy(Content=c, **bad)) == "MalformedPolicyDocumentException"
    long = document(deny([f"ec2:{'x' * 40}{n}" for n in range(130)]))
    assert reason(lambda: client.create_policy(Content=long, **bad)) == "POLICY_CONTENT_LIMIT_EXCEEDED"


def test_a_resource_control_policy_binds_whoever_asks(organization: Organization) -> None:
    organization.enable("RESOURCE_CONTROL_POLICY")
    student = organization.make_account()
    trust = document({"Effect": "Allow", "Principal": {"AWS": organization.management.id}, "Action": "sts:AssumeRole"})
    student.client("iam").create_role(RoleName="guest", AssumeRolePolicyDocument=trust)
    sts = organization.administrator().client("sts")
    role = {"RoleArn": f"arn:aws:iam::{student.id}:role/guest", "RoleSessionName": "session"}
    sts.assume_role(**role)
    statement = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Resource": role["RoleArn"]}
    policy = organization.policy(statement, type="RESOURCE_CONTROL_POLICY")
    organization.client.attach_policy(PolicyId=policy, TargetId=student.id)
    with pytest.raises(ClientError) as refused:
        sts.assume_role(**role)
    assert "resource control policy" in refused.value.response["Error"]["Message"]


def test_the_organization_is_a_fact_that_policies_may_ask_for(organization: Organization, cloud: Cloud) -> None:
    host, student, stranger = organization.management, organization.make_account(), cloud.new_account()
    principal = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}
    within = {**principal, "Condition": {"StringEquals": {"aws:PrincipalOrgID": organization.about["Id"]}}}
    path = f"{organization.about['Id']}/{organization.root}/*"
    below = {**principal, "Condition": {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": path}}}
    iam = host.client("iam")
    iam.create_role(RoleName="within", AssumeRolePolicyDocument=document(within))
    iam.create_role(RoleName="below", AssumeRolePolicyDocument=document(below))
    outsider = _administrator(stranger)
    for name in ("within", "below"):
        role = {"RoleArn": f"arn:aws:iam::{host.id}:role/{name}", "RoleSessionName": "session"}
        student.client("sts").assume_role(**role)
        assert code(lambda role=role: outsider.client("sts").assume_role(**role)) == "AccessDenied"


def _administrator(account: Account) -> Account:
    iam = account.client("iam")
    iam.create_user(UserName="admin")
    iam.attach_user_policy(UserName="admin", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    key = iam.create_access_key(UserName="admin")["AccessKey"]
    return Account(account.endpoint, account.id, key["AccessKeyId"], key["SecretAccessKey"])


def test_an_account_is_invited_joins_and_leaves(organization: Organization, cloud: Cloud) -> None:
    guest, other = cloud.new_account(), cloud.new_account()
    client, theirs = organization.client, guest.client("organizations")
    asked = client.invite_account_to_organization(Target={"Type": "ACCOUNT", "Id": guest.id}, Notes="join us")
    handshake = asked["Handshake"]
    assert (handshake["State"], handshake["Action"]) == ("OPEN", "INVITE")
    assert {party["Type"] for party in handshake["Parties"]} == {"ORGANIZATION", "ACCOUNT"}
    twice = {"Target": {"Type": "ACCOUNT", "Id": guest.id}}
    assert code(lambda: client.invite_account_to_organization(**twice)) == "DuplicateHandshakeException"
    assert [item["Id"] for item in theirs.list_handshakes_for_account()["Handshakes"]] == [handshake["Id"]]
    strangers = other.client("organizations")
    assert strangers.list_handshakes_for_account()["Handshakes"] == []
    id = {"HandshakeId": handshake["Id"]}
    for refused in (strangers.accept_handshake, strangers.describe_handshake, strangers.cancel_handshake):
        assert code(lambda call=refused: call(**id)) == "HandshakeNotFoundException"
    assert code(lambda: client.accept_handshake(**id)) == "AccessDeniedException"
    assert theirs.accept_handshake(**id)["Handshake"]["State"] == "ACCEPTED"
    assert code(lambda: theirs.accept_handshake(**id)) == "HandshakeAlreadyInStateException"
    assert theirs.describe_organization()["Organization"]["Id"] == organization.about["Id"]
    assert code(theirs.list_accounts) == "AccessDeniedException"
    assert code(theirs.create_organization) == "AlreadyInOrganizationException"
    assert code(client.leave_organization) == "MasterCannotLeaveOrganizationException"
    assert code(client.delete_organization) == "OrganizationNotEmptyException"
    theirs.leave_organization()
    assert code(theirs.describe_organization) == "AWSOrganizationsNotInUseException"
    client.delete_organization()
    assert code(client.describe_organization) == "AWSOrganizationsNotInUseException"


def test_all_features_need_the_consent_of_who_was_invited(cloud: Cloud) -> None:
    management, guest = cloud.new_account(), cloud.new_account()
    client, theirs = management.client("organizations"), guest.client("organizations")
    client.create_organization(FeatureSet="CONSOLIDATED_BILLING")
    root = client.list_roots()["Roots"][0]["Id"]
    enable = {"RootId": root, "PolicyType": "SERVICE_CONTROL_POLICY"}
    assert code(lambda: client.enable_policy_type(**enable)) == "PolicyTypeNotAvailableForOrganizationException"
    invited = client.invite_account_to_organization(Target={"Type": "ACCOUNT", "Id": guest.id})
    theirs.accept_handshake(HandshakeId=invited["Handshake"]["Id"])
    whole = client.enable_all_features()["Handshake"]
    assert (whole["Action"], whole["State"]) == ("ENABLE_ALL_FEATURES", "REQUESTED")
    assert code(lambda: client.accept_handshake(HandshakeId=whole["Id"])) == "InvalidHandshakeTransitionException"
    (own,) = theirs.list_handshakes_for_account(Filter={"ActionType": "APPROVE_ALL_FEATURES"})["Handshakes"]
    theirs.accept_handshake(HandshakeId=own["Id"])
    client.accept_handshake(HandshakeId=whole["Id"])
    assert client.describe_organization()["Organization"]["FeatureSet"] == "ALL"
    client.enable_policy_type(**enable)


def test_delegated_administrators_may_read(organization: Organization) -> None:
    student = organization.make_account()
    client, theirs = organization.client, student.client("organizations")
    assert code(theirs.list_accounts) == "AccessDeniedException"
    config = "config.amazonaws.com"
    client.register_delegated_administrator(AccountId=student.id, ServicePrincipal=config)
    assert {item["Id"] for item in theirs.list_accounts()["Accounts"]} == {organization.management.id, student.id}
    assert theirs.describe_account(AccountId=organization.management.id)["Account"]["Status"] == "ACTIVE"
    unit = {"ParentId": organization.root, "Name": "mine"}
    assert code(lambda: theirs.create_organizational_unit(**unit)) == "AccessDeniedException"
    assert [item["Id"] for item in client.list_delegated_administrators()["DelegatedAdministrators"]] == [student.id]
    (service,) = client.list_delegated_services_for_account(AccountId=student.id)["DelegatedServices"]
    assert service["ServicePrincipal"] == config
    (enabled,) = client.list_aws_service_access_for_organization()["EnabledServicePrincipals"]
    assert enabled["ServicePrincipal"] == config
    assert reason(lambda: client.remove_account_from_organization(AccountId=student.id)) == (
        "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG"
    )
    client.deregister_delegated_administrator(AccountId=student.id, ServicePrincipal=config)
    client.remove_account_from_organization(AccountId=student.id)
    assert code(theirs.describe_organization) == "AWSOrganizationsNotInUseException"


def test_the_resource_policy_lets_a_member_govern(organization: Organization) -> None:
    student, other = organization.make_account(), organization.make_account()
    theirs = student.client("organizations")
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{student.id}:root"},
        "Action": ["organizations:CreateOrganizationalUnit", "organizations:List*"],
        "Resource": "*",
    }
    policy = organization.client.put_resource_policy(Content=document(statement))["ResourcePolicy"]
    assert json.loads(policy["Content"])["Statement"]
    theirs.create_organizational_unit(ParentId=organization.root, Name="theirs")
    assert len(theirs.list_accounts()["Accounts"]) == 3
    close = {"AccountId": other.id}
    assert code(lambda: theirs.close_account(**close)) == "AccessDeniedException"
    assert code(other.client("organizations").list_accounts) == "AccessDeniedException"
    organization.client.delete_resource_policy()
    assert code(theirs.list_accounts) == "AccessDeniedException"


def test_tag_policies_are_merged(organization: Organization) -> None:
    organization.enable("TAG_POLICY")
    student, client = organization.make_account(), organization.client

    def attach(target: str, content: dict[str, Any]) -> None:
        made = client.create_policy(
            Content=json.dumps(content), Description="", Name=uuid.uuid4().hex, Type="TAG_POLICY"
        )
        client.attach_policy(PolicyId=made["Policy"]["PolicySummary"]["Id"], TargetId=target)

    ask = {"PolicyType": "TAG_POLICY", "TargetId": student.id}
    assert code(lambda: client.describe_effective_policy(**ask)) == "EffectivePolicyNotFoundException"
    attach(organization.root, {"tags": {"CostCenter": {"tag_value": {"@@assign": ["100"]}}}})
    attach(student.id, {"tags": {"costcenter": {"tag_value": {"@@append": ["200"]}}}})
    merged = json.loads(client.describe_effective_policy(**ask)["EffectivePolicy"]["PolicyContent"])
    assert merged == {"tags": {"CostCenter": {"tag_value": ["100", "200"]}}}
    own = student.client("organizations").describe_effective_policy(PolicyType="TAG_POLICY")
    assert json.loads(own["EffectivePolicy"]["PolicyContent"]) == merged


def test_others_organizations_are_out_of_reach(organization: Organization, cloud: Cloud) -> None:
    student, stranger = organization.make_account(), Organization(cloud.new_account())
    unit = organization.client.create_organizational_unit(ParentId=organization.root, Name="a")["OrganizationalUnit"]
    policy, client = organization.policy(deny("*")), stranger.client
    own = stranger.make_account()
    move = {"AccountId": student.id, "SourceParentId": organization.root, "DestinationParentId": stranger.root}
    away = {"AccountId": own.id, "SourceParentId": stranger.root, "DestinationParentId": unit["Id"]}
    refusals = {
        "AccountNotFoundException": [
            lambda: client.describe_account(AccountId=student.id),
            lambda: client.close_account(AccountId=student.id),
            lambda: client.remove_account_from_organization(AccountId=student.id),
            lambda: client.move_account(**move),
        ],
        "DestinationParentNotFoundException": [lambda: client.move_account(**away)],
        "PolicyNotFoundException": [
            lambda: client.describe_policy(PolicyId=policy),
            lambda: client.delete_policy(PolicyId=policy),
            lambda: client.attach_policy(PolicyId=policy, TargetId=stranger.root),
        ],
        "TargetNotFoundException": [
            lambda: client.tag_resource(ResourceId=student.id, Tags=[{"Key": "a", "Value": "b"}]),
            lambda: client.list_tags_for_resource(ResourceId=policy),
        ],
        "ParentNotFoundException": [lambda: client.create_organizational_unit(ParentId=organization.root, Name="b")],
        "OrganizationalUnitNotFoundException": [
            lambda: client.delete_organizational_unit(OrganizationalUnitId=unit["Id"])
        ],
        "RootNotFoundException": [lambda: client.enable_policy_type(RootId=organization.root, PolicyType="TAG_POLICY")],
    }
    for expected, calls in refusals.items():
        for call in calls:
            assert code(call) == expected
    assert student.client("sts").get_caller_identity()["Account"] == student.id


def test_parallel_changes_do_not_lose_one_another(organization: Organization) -> None:
    organization.enable()
    student = organization.make_account()
    policies = [organization.policy(deny(f"ec2:Create{noun}")) for noun in ("Vpc", "Subnet", "KeyPair", "RouteTable")]

    def attach(id: str) -> None:
        client = organization.management.client("organizations")
        client.attach_policy(PolicyId=id, TargetId=student.id)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(attach, policies))
    for create in ("create_vpc", "create_key_pair"):
        arguments = {"CidrBlock": "10.0.0.0/16"} if create == "create_vpc" else {"KeyName": "k"}
        call = getattr(student.client("ec2"), create)
        assert code(lambda call=call, arguments=arguments: call(**arguments)) == "UnauthorizedOperation"
