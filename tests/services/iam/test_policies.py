"""Managed and inline policies through boto3, and that they act."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from tests.cloud import Account
from tests.services.iam.conftest import allow, deny, document, user_with_key
from tests.services.iam.test_identities import refused

READ = document(allow("iam:Get*"))


def test_life_of_a_managed_policy(iam: Any, account: Account) -> None:
    made = iam.create_policy(PolicyName="read", PolicyDocument=READ, Description="d")["Policy"]
    arn = made["Arn"]
    assert arn == f"arn:aws:iam::{account.id}:policy/read"
    assert (made["DefaultVersionId"], made["AttachmentCount"]) == ("v1", 0)
    assert refused(iam.create_policy, PolicyName="Read", PolicyDocument=READ) == (
        "EntityAlreadyExists",
        "A policy called Read already exists. Duplicate names are not allowed.",
    )
    second = document(allow("iam:List*"))
    version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=second, SetAsDefault=True)["PolicyVersion"]
    assert (version["VersionId"], version["IsDefaultVersion"]) == ("v2", True)
    shown = iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]
    assert shown["Document"] == json.loads(second)
    assert refused(iam.delete_policy_version, PolicyArn=arn, VersionId="v2")[0] == "DeleteConflict"
    assert refused(iam.delete_policy, PolicyArn=arn)[0] == "DeleteConflict"
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=READ)
    assert [item["VersionId"] for item in iam.list_policy_versions(PolicyArn=arn)["Versions"]] == ["v3", "v1"]
    for _ in range(3):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=READ)
    assert refused(iam.create_policy_version, PolicyArn=arn, PolicyDocument=READ)[0] == "LimitExceeded"
    for number in range(3, 7):
        iam.delete_policy_version(PolicyArn=arn, VersionId=f"v{number}")
    assert refused(iam.get_policy_version, PolicyArn=arn, VersionId="v9")[0] == "NoSuchEntity"
    iam.delete_policy(PolicyArn=arn)
    assert refused(iam.get_policy, PolicyArn=arn) == ("NoSuchEntity", f"Policy {arn} was not found.")


def test_attachments(iam: Any) -> None:
    arn = iam.create_policy(PolicyName="read", PolicyDocument=READ)["Policy"]["Arn"]
    iam.create_user(UserName="ann")
    iam.create_group(GroupName="team")
    iam.attach_user_policy(UserName="ann", PolicyArn=arn)
    iam.attach_user_policy(UserName="ann", PolicyArn=arn)
    iam.attach_group_policy(GroupName="team", PolicyArn=arn)
    assert iam.list_attached_user_policies(UserName="ann")["AttachedPolicies"] == [
        {"PolicyName": "read", "PolicyArn": arn}
    ]
    entities = iam.list_entities_for_policy(PolicyArn=arn)
    assert [item["UserName"] for item in entities["PolicyUsers"]] == ["ann"]
    assert [item["GroupName"] for item in entities["PolicyGroups"]] == ["team"]
    assert [item["PolicyName"] for item in iam.list_policies(Scope="Local", OnlyAttached=True)["Policies"]] == ["read"]
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 2
    assert refused(iam.delete_policy, PolicyArn=arn)[0] == "DeleteConflict"
    iam.detach_user_policy(UserName="ann", PolicyArn=arn)
    assert refused(iam.detach_user_policy, UserName="ann", PolicyArn=arn) == (
        "NoSuchEntity",
        f"Policy {arn} was not found.",
    )
    missing = arn + "x"
    assert refused(iam.attach_user_policy, UserName="ann", PolicyArn=missing) == (
        "NoSuchEntity",
        f"Policy {missing} does not exist or is not attachable.",
    )


def test_policies_that_do_not_exist(iam: Any, account: Account) -> None:
    arn = f"arn:aws:iam::{account.id}:policy/none"
    message = f"Policy {arn} version v1 does not exist or is not attachable."
    assert refused(iam.get_policy_version, PolicyArn=arn, VersionId="v1") == ("NoSuchEntity", message)
    assert refused(iam.set_default_policy_version, PolicyArn=arn, VersionId="v1") == ("NoSuchEntity", message)
    assert (
        refused(iam.list_entities_for_policy, PolicyArn=arn)[1] == f"Policy {arn} does not exist or is not attachable."
    )
    for call in (iam.delete_policy, iam.list_policy_versions, iam.list_policy_tags):
        assert refused(call, PolicyArn=arn) == ("NoSuchEntity", f"Policy {arn} was not found.")
    iam.create_user(UserName="ann")
    name = "longpolicynamebutnoarn"
    assert refused(iam.attach_user_policy, UserName="ann", PolicyArn=name) == (
        "ValidationError",
        "Invalid ARN:  Could not be parsed!",
    )


def test_tags_of_policies(iam: Any) -> None:
    tags = [{"Key": "b", "Value": "1"}, {"Key": "B", "Value": "2"}, {"Key": "a", "Value": "3"}]
    made = iam.create_policy(PolicyName="p", PolicyDocument=READ, Tags=tags)["Policy"]
    assert made["Tags"] == tags
    arn = made["Arn"]
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "c", "Value": ""}])
    pages = iam.get_paginator("list_policy_tags").paginate(PolicyArn=arn, PaginationConfig={"PageSize": 3})
    assert [[tag["Key"] for tag in page["Tags"]] for page in pages] == [["B", "a", "b"], ["c"]]
    iam.untag_policy(PolicyArn=arn, TagKeys=["b", "c"])
    assert [tag["Key"] for tag in iam.get_policy(PolicyArn=arn)["Policy"]["Tags"]] == ["B", "a"]
    twice = [{"Key": "x", "Value": "1"}, {"Key": "x", "Value": "2"}]
    assert refused(iam.tag_policy, PolicyArn=arn, Tags=twice) == ("InvalidInput", "Duplicate tag keys found.")


def test_ten_policies_at_most(iam: Any) -> None:
    iam.create_user(UserName="ann")
    arns = [iam.create_policy(PolicyName=f"p{n}", PolicyDocument=READ)["Policy"]["Arn"] for n in range(11)]
    for arn in arns[:10]:
        iam.attach_user_policy(UserName="ann", PolicyArn=arn)
    assert refused(iam.attach_user_policy, UserName="ann", PolicyArn=arns[10]) == (
        "LimitExceeded",
        "Cannot exceed quota for PoliciesPerUser: 10",
    )


def test_policies_of_aws_cannot_be_changed(iam: Any) -> None:
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    assert iam.get_policy(PolicyArn=arn)["Policy"]["PolicyName"] == "AdministratorAccess"
    assert refused(iam.delete_policy, PolicyArn=arn) == (
        "AccessDenied",
        "Cannot delete policies outside your own account.",
    )
    assert refused(iam.create_policy_version, PolicyArn=arn, PolicyDocument=READ)[0] == "AccessDenied"
    assert refused(iam.set_default_policy_version, PolicyArn=arn, VersionId="v1") == (
        "AccessDenied",
        "Cannot update policies outside your own account.",
    )
    assert refused(iam.delete_policy_version, PolicyArn=arn, VersionId="v1") == (
        "AccessDenied",
        "Cannot delete policy versions for policies outside your own account.",
    )
    pages = iam.get_paginator("list_policies").paginate(Scope="AWS")
    names = {item["PolicyName"] for page in pages for item in page["Policies"]}
    assert {"AdministratorAccess", "PowerUserAccess"} <= names


def test_inline_policies(iam: Any) -> None:
    iam.create_user(UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=READ)
    assert iam.get_user_policy(UserName="ann", PolicyName="p")["PolicyDocument"] == json.loads(READ)
    assert iam.list_user_policies(UserName="ann")["PolicyNames"] == ["p"]
    assert refused(iam.get_user_policy, UserName="ann", PolicyName="q") == (
        "NoSuchEntity",
        "The user policy with name q cannot be found.",
    )
    assert refused(iam.put_user_policy, UserName="ann", PolicyName="p", PolicyDocument="x") == (
        "MalformedPolicyDocument",
        "Syntax errors in policy.",
    )
    long = document(allow([f"s3:Get{'x' * 60}{n}" for n in range(40)]))
    assert refused(iam.put_user_policy, UserName="ann", PolicyName="q", PolicyDocument=long) == (
        "LimitExceeded",
        "Maximum policy size of 2048 bytes exceeded for user ann",
    )


def test_a_user_may_what_its_policies_allow(account: Account) -> None:
    ann = user_with_key(account, "ann", allow("iam:GetUser", f"arn:aws:iam::{account.id}:user/${{aws:username}}"))
    client = ann.client("iam")
    assert client.get_user(UserName="ann")["User"]["UserName"] == "ann"
    code, message = refused(client.get_user, UserName="bob")
    assert (code, message) == (
        "AccessDenied",
        f"User: arn:aws:iam::{account.id}:user/ann is not authorized to perform: iam:GetUser on resource: "
        f"arn:aws:iam::{account.id}:user/bob because no identity-based policy allows the iam:GetUser action",
    )
    assert refused(client.create_user, UserName="eve")[0] == "AccessDenied"


def test_a_user_without_policies_may_nothing_but_ask_who_it_is(account: Account) -> None:
    ann = user_with_key(account, "ann")
    assert ann.client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{account.id}:user/ann"
    for client, call in (("iam", "list_users"), ("ec2", "describe_vpcs"), ("sts", "get_access_key_info")):
        parameters = {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"} if client == "sts" else {}
        code, message = refused(getattr(ann.client(client), call), **parameters)
        assert code in ("AccessDenied", "UnauthorizedOperation")
        assert "because no identity-based policy allows" in message


def test_groups_give_and_explicit_denials_take(iam: Any, account: Account) -> None:
    ann = user_with_key(account, "ann").client("iam")
    iam.create_group(GroupName="team")
    iam.put_group_policy(GroupName="team", PolicyName="p", PolicyDocument=document(allow("iam:*")))
    assert refused(ann.list_users)[0] == "AccessDenied"
    iam.add_user_to_group(GroupName="team", UserName="ann")
    _within_a_second(ann.list_users)
    iam.put_user_policy(UserName="ann", PolicyName="no", PolicyDocument=document(deny("iam:List*")))
    _within_a_second(lambda: "explicit deny in an identity-based policy" in refused(ann.list_users)[1])


def test_a_boundary_limits(iam: Any, account: Account) -> None:
    ann = user_with_key(account, "ann", allow("iam:*")).client("iam")
    arn = iam.create_policy(PolicyName="b", PolicyDocument=document(allow("iam:GetUser")))["Policy"]["Arn"]
    ann.list_users()
    iam.put_user_permissions_boundary(UserName="ann", PermissionsBoundary=arn)
    _within_a_second(lambda: "because no permissions boundary allows" in refused(ann.list_users)[1])
    assert ann.get_user()["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn


def test_changes_reach_every_worker_within_a_second(iam: Any, account: Account) -> None:
    """Many connections, so that all workers are asked: after a second none may answer by the old policy."""
    clients = [user_with_key(account, "ann").client("iam")]
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    more = Account(account.endpoint, account.id, key["AccessKeyId"], key["SecretAccessKey"])
    clients += [more.client("iam") for _ in range(7)]
    for client in clients:
        assert refused(client.list_users)[0] == "AccessDenied"
    iam.attach_user_policy(UserName="ann", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    time.sleep(1)
    failures: list[Exception] = []

    def ask(client: Any) -> None:
        try:
            for _ in range(5):
                client.list_users()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=ask, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def _within_a_second(check: Any) -> None:
    deadline = time.monotonic() + 1
    while True:
        try:
            assert check()
            return
        except (Exception, pytest.fail.Exception):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@pytest.mark.parametrize("tagged", [True, False])
def test_conditions_on_tags(iam: Any, account: Account, tagged: bool) -> None:
    condition = {"StringEquals": {"aws:RequestTag/team": "red"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}
    ann = user_with_key(account, "ann", allow("iam:CreateUser", Condition=condition)).client("iam")
    if tagged:
        ann.create_user(UserName="bob", Tags=[{"Key": "team", "Value": "red"}])
        return
    assert refused(ann.create_user, UserName="bob")[0] == "AccessDenied"
    more = [{"Key": "team", "Value": "red"}, {"Key": "x", "Value": "1"}]
    assert refused(ann.create_user, UserName="bob", Tags=more)[0] == "AccessDenied"


def test_conditions_on_resource_and_principal_tags(iam: Any, account: Account) -> None:
    same = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}
    ann = user_with_key(account, "ann", allow("iam:GetUser", Condition=same)).client("iam")
    iam.tag_user(UserName="ann", Tags=[{"Key": "team", "Value": "red"}])
    iam.create_user(UserName="red", Tags=[{"Key": "team", "Value": "red"}])
    iam.create_user(UserName="blue", Tags=[{"Key": "team", "Value": "blue"}])
    _within_a_second(lambda: ann.get_user(UserName="red"))
    assert refused(ann.get_user, UserName="blue")[0] == "AccessDenied"
