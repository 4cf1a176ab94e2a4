"""Users, groups and roles through boto3."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud import Account
from tests.services.iam.conftest import allow, document, trust, user_with_key

EC2 = trust({"Service": "ec2.amazonaws.com"})


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    """Error code and message with which a call is refused."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    found = error.value.response["Error"]
    return str(found["Code"]), str(found["Message"])


def test_life_of_a_user(iam: Any, account: Account) -> None:
    made = iam.create_user(UserName="Ann", Path="/team/", Tags=[{"Key": "a", "Value": "1"}])["User"]
    assert made["Arn"] == f"arn:aws:iam::{account.id}:user/team/Ann"
    assert made["UserId"].startswith("AIDA")
    assert len(made["UserId"]) == 21
    got = iam.get_user(UserName="ann")["User"]
    assert got == made
    assert refused(iam.create_user, UserName="ANN") == (
        "EntityAlreadyExists",
        "User with name ANN already exists.",
    )
    iam.update_user(UserName="Ann", NewUserName="Bea", NewPath="/")
    assert iam.get_user(UserName="Bea")["User"]["UserId"] == made["UserId"]
    assert refused(iam.get_user, UserName="Ann") == ("NoSuchEntity", "The user with name Ann cannot be found.")
    iam.delete_user(UserName="Bea")
    assert refused(iam.delete_user, UserName="Bea")[0] == "NoSuchEntity"


def test_who_moves_or_renames_one_must_be_allowed_to_change_what_it_becomes(iam: Any, account: Account) -> None:
    own = f"arn:aws:iam::{account.id}:*/dev/*"
    dev = user_with_key(account, "dev", allow(["iam:UpdateUser", "iam:UpdateGroup"], own)).client("iam")
    iam.create_user(UserName="ann", Path="/dev/")
    iam.create_group(GroupName="staff", Path="/dev/")
    dev.update_user(UserName="ann", NewUserName="bea")
    dev.update_group(GroupName="staff", NewPath="/dev/more/")
    assert refused(dev.update_user, UserName="bea", NewPath="/admin/")[0] == "AccessDenied"
    assert refused(dev.update_group, GroupName="staff", NewPath="/")[0] == "AccessDenied"
    assert iam.get_user(UserName="bea")["User"]["Path"] == "/dev/"


def test_root_asks_for_itself(iam: Any, account: Account) -> None:
    me = iam.get_user()["User"]
    assert (me["Arn"], me["UserId"]) == (f"arn:aws:iam::{account.id}:root", account.id)


def test_users_by_name_and_page(iam: Any) -> None:
    for name in ("delta", "Alpha", "charlie", "bravo"):
        iam.create_user(UserName=name, Path="/x/" if name < "c" else "/")
    assert [user["UserName"] for user in iam.list_users()["Users"]] == ["Alpha", "bravo", "charlie", "delta"]
    assert [user["UserName"] for user in iam.list_users(PathPrefix="/x")["Users"]] == ["Alpha", "bravo"]
    pages = list(iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 3}))
    assert [[user["UserName"] for user in page["Users"]] for page in pages] == [
        ["Alpha", "bravo", "charlie"],
        ["delta"],
    ]
    assert pages[0]["IsTruncated"]
    assert refused(iam.list_users, Marker="forged")[0] == "ValidationError"


def test_a_user_in_use_cannot_be_deleted(iam: Any) -> None:
    iam.create_user(UserName="ann")
    iam.create_group(GroupName="team")
    iam.add_user_to_group(GroupName="team", UserName="ann")
    iam.attach_user_policy(UserName="ann", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=document(allow("s3:*")))
    key = iam.create_access_key(UserName="ann")["AccessKey"]["AccessKeyId"]
    delete = iam.delete_user
    assert refused(delete, UserName="ann")[1] == "Cannot delete entity, must detach all policies first."
    iam.detach_user_policy(UserName="ann", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    assert refused(delete, UserName="ann")[1] == "Cannot delete entity, must delete policies first."
    iam.delete_user_policy(UserName="ann", PolicyName="p")
    assert refused(delete, UserName="ann") == (
        "DeleteConflict",
        "Cannot delete entity, must delete access keys first.",
    )
    iam.delete_access_key(UserName="ann", AccessKeyId=key)
    assert refused(delete, UserName="ann")[0] == "DeleteConflict"
    iam.remove_user_from_group(GroupName="team", UserName="ann")
    iam.delete_user(UserName="ann")


def test_groups(iam: Any) -> None:
    group = iam.create_group(GroupName="team", Path="/x/")["Group"]
    for name in ("ann", "bob"):
        iam.create_user(UserName=name)
        iam.add_user_to_group(GroupName="team", UserName=name)
        iam.add_user_to_group(GroupName="team", UserName=name)
    shown = iam.get_group(GroupName="team")
    assert shown["Group"] == group
    assert [user["UserName"] for user in shown["Users"]] == ["ann", "bob"]
    assert iam.list_groups_for_user(UserName="ann")["Groups"] == [group]
    assert refused(iam.delete_group, GroupName="team")[0] == "DeleteConflict"
    for name in ("ann", "bob"):
        iam.remove_user_from_group(GroupName="team", UserName=name)
    assert refused(iam.remove_user_from_group, GroupName="team", UserName="ann")[0] == "NoSuchEntity"
    iam.update_group(GroupName="team", NewGroupName="crew")
    assert [item["GroupName"] for item in iam.list_groups()["Groups"]] == ["crew"]
    iam.delete_group(GroupName="crew")


def test_a_user_has_ten_groups_at_most(iam: Any) -> None:
    iam.create_user(UserName="ann")
    for number in range(11):
        iam.create_group(GroupName=f"g{number}")
    for number in range(10):
        iam.add_user_to_group(GroupName=f"g{number}", UserName="ann")
    assert refused(iam.add_user_to_group, GroupName="g10", UserName="ann") == (
        "LimitExceeded",
        "Cannot exceed quota for GroupsPerUser: 10",
    )
    assert len(iam.list_groups_for_user(UserName="ann")["Groups"]) == 10


def test_life_of_a_role(iam: Any, account: Account) -> None:
    made = iam.create_role(RoleName="app", AssumeRolePolicyDocument=EC2, Description="d", MaxSessionDuration=7200)[
        "Role"
    ]
    assert made["Arn"] == f"arn:aws:iam::{account.id}:role/app"
    assert made["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "ec2.amazonaws.com"}
    got = iam.get_role(RoleName="app")["Role"]
    assert (got["MaxSessionDuration"], got["Description"], got["RoleLastUsed"]) == (7200, "d", {})
    assert refused(iam.create_role, RoleName="App", AssumeRolePolicyDocument=EC2)[0] == "EntityAlreadyExists"
    iam.update_role(RoleName="app", Description="other")
    got = iam.get_role(RoleName="app")["Role"]
    assert (got["MaxSessionDuration"], got["Description"]) == (3600, "other")
    new = trust({"AWS": account.id})
    iam.update_assume_role_policy(RoleName="app", PolicyDocument=new)
    shown = iam.list_roles()["Roles"][0]["AssumeRolePolicyDocument"]
    assert shown["Statement"][0]["Principal"] == {"AWS": account.id}
    iam.delete_role(RoleName="app")


@pytest.mark.parametrize(
    ("trusted", "message"),
    [
        ("{", "This policy contains invalid Json"),
        (document(allow("sts:AssumeRole")), "Has prohibited field Resource"),
        (trust({"AWS": "arn:aws:iam::123456789012:user/nobody"}), "Invalid principal in policy"),
        (trust({"AWS": "123456789012"}), "Invalid principal in policy"),
        (trust({"AWS": "nobody"}), "Invalid principal in policy"),
        (trust({"Service": "ec2"}), "Invalid principal in policy"),
    ],
)
def test_trust_policies_are_checked(iam: Any, trusted: str, message: str) -> None:
    code, text = refused(iam.create_role, RoleName="app", AssumeRolePolicyDocument=trusted)
    assert code == "MalformedPolicyDocument"
    assert message in text


@pytest.mark.parametrize("path", ["/aws-service-role/ec2.amazonaws.com/", "/aws-reserved/x/"])
def test_paths_of_services_are_reserved(iam: Any, path: str) -> None:
    """Roles under them are exempt from service control policies."""
    assert refused(iam.create_role, RoleName="app", Path=path, AssumeRolePolicyDocument=EC2)[0] == "InvalidInput"


def test_tags(iam: Any) -> None:
    iam.create_user(UserName="ann", Tags=[{"Key": "Team", "Value": "red"}])
    iam.tag_user(UserName="ann", Tags=[{"Key": "team", "Value": "blue"}, {"Key": "x", "Value": "1"}])
    assert iam.list_user_tags(UserName="ann")["Tags"] == [{"Key": "team", "Value": "blue"}, {"Key": "x", "Value": "1"}]
    iam.untag_user(UserName="ann", TagKeys=["TEAM", "missing"])
    assert iam.list_user_tags(UserName="ann")["Tags"] == [{"Key": "x", "Value": "1"}]
    many = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
    assert refused(iam.tag_user, UserName="ann", Tags=many)[0] == "LimitExceeded"
    assert refused(iam.tag_user, UserName="ann", Tags=[{"Key": "aws:x", "Value": ""}])[0] == "InvalidInput"


def test_boundaries(iam: Any) -> None:
    arn = iam.create_policy(PolicyName="b", PolicyDocument=document(allow("s3:*")))["Policy"]["Arn"]
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=EC2, PermissionsBoundary=arn)
    shown = iam.get_role(RoleName="app")["Role"]["PermissionsBoundary"]
    assert shown == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}
    assert refused(iam.delete_policy, PolicyArn=arn)[0] == "DeleteConflict"
    iam.delete_role_permissions_boundary(RoleName="app")
    assert refused(iam.delete_role_permissions_boundary, RoleName="app")[0] == "NoSuchEntity"
    assert (
        refused(iam.put_role_permissions_boundary, RoleName="app", PermissionsBoundary=arn + "x")[0] == "NoSuchEntity"
    )
    assert refused(iam.put_role_permissions_boundary, RoleName="app", PermissionsBoundary="arn:aws:iam::1:x/y:z") == (
        "InvalidInput",
        "ARN arn:aws:iam::1:x/y:z is not valid.",
    )
    iam.delete_policy(PolicyArn=arn)


def test_instance_profiles(iam: Any, account: Account) -> None:
    made = iam.create_instance_profile(InstanceProfileName="web")["InstanceProfile"]
    assert made["Arn"] == f"arn:aws:iam::{account.id}:instance-profile/web"
    for name in ("one", "two"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=EC2)
    iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="one")
    assert refused(iam.add_role_to_instance_profile, InstanceProfileName="web", RoleName="two") == (
        "LimitExceeded",
        "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
    )
    iam.tag_instance_profile(InstanceProfileName="web", Tags=[{"Key": "a", "Value": "1"}])
    assert iam.list_instance_profile_tags(InstanceProfileName="web")["Tags"] == [{"Key": "a", "Value": "1"}]
    iam.untag_instance_profile(InstanceProfileName="web", TagKeys=["a"])
    assert iam.get_instance_profile(InstanceProfileName="web")["InstanceProfile"]["Tags"] == []
    [held] = iam.get_instance_profile(InstanceProfileName="web")["InstanceProfile"]["Roles"]
    assert held["RoleName"] == "one"
    assert [
        item["InstanceProfileName"] for item in iam.list_instance_profiles_for_role(RoleName="one")["InstanceProfiles"]
    ] == ["web"]
    assert refused(iam.delete_role, RoleName="one")[0] == "DeleteConflict"
    assert refused(iam.delete_instance_profile, InstanceProfileName="web")[0] == "DeleteConflict"
    iam.remove_role_from_instance_profile(InstanceProfileName="web", RoleName="one")
    iam.delete_instance_profile(InstanceProfileName="web")
    assert refused(iam.get_instance_profile, InstanceProfileName="web") == (
        "NoSuchEntity",
        "Instance Profile web cannot be found.",
    )
    iam.get_waiter("role_exists").wait(RoleName="one", WaiterConfig={"Delay": 1, "MaxAttempts": 2})


def test_access_keys(iam: Any, account: Account) -> None:
    ann = user_with_key(account, "ann", allow("iam:*"))
    own = ann.client("iam")
    assert own.get_user()["User"]["UserName"] == "ann"
    second = own.create_access_key()["AccessKey"]
    assert second["UserName"] == "ann"
    assert refused(own.create_access_key) == ("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
    assert {key["AccessKeyId"] for key in iam.list_access_keys(UserName="ann")["AccessKeyMetadata"]} == {
        ann.access_key_id,
        second["AccessKeyId"],
    }
    other = Account(account.endpoint, account.id, second["AccessKeyId"], second["SecretAccessKey"])
    other.client("iam").get_user()
    iam.update_access_key(UserName="ann", AccessKeyId=second["AccessKeyId"], Status="Inactive")
    assert refused(other.client("iam").get_user)[0] == "InvalidClientTokenId"
    iam.delete_access_key(UserName="ann", AccessKeyId=second["AccessKeyId"])
    assert refused(iam.delete_access_key, UserName="ann", AccessKeyId=second["AccessKeyId"])[0] == "NoSuchEntity"
    assert len(iam.list_access_keys()["AccessKeyMetadata"]) == 1


def test_nobody_sees_another_account(iam: Any, cloud: Any) -> None:
    iam.create_user(UserName="ann")
    stranger = cloud.new_account().client("iam")
    assert refused(stranger.get_user, UserName="ann")[0] == "NoSuchEntity"
    assert stranger.list_users()["Users"] == []
    arn = iam.create_policy(PolicyName="p", PolicyDocument=document(allow("s3:*")))["Policy"]["Arn"]
    for call in (stranger.get_policy, stranger.delete_policy, stranger.list_policy_versions):
        assert refused(call, PolicyArn=arn)[0] in ("NoSuchEntity", "AccessDenied")
    stranger.create_user(UserName="ann")
    assert refused(stranger.attach_user_policy, UserName="ann", PolicyArn=arn)[0] == "NoSuchEntity"


def test_a_name_is_given_once_however_many_ask(iam: Any, account: Account) -> None:
    """Renames and creations at once: one wins, the others are told that the name is taken."""
    for number in range(4):
        iam.create_user(UserName=f"u{number}")
    clients = [account.client("iam") for _ in range(8)]

    def take(number: int) -> str:
        try:
            if number < 4:
                clients[number].update_user(UserName=f"u{number}", NewUserName="wanted")
            else:
                clients[number].create_user(UserName="Wanted")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "done"

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(take, range(8)))
    assert outcomes == ["EntityAlreadyExists"] * 7 + ["done"]
