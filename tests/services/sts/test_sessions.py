"""Sessions through boto3."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.cloud import Account, Cloud
from tests.services.iam.conftest import allow, document, trust, user_with_key
from tests.services.iam.test_identities import refused


def client(account: Account, service: str, credentials: dict[str, Any]) -> Any:
    """A client with temporary credentials."""
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=account.endpoint,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        config=Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=30),
    )


def role(account: Account, name: str, trusted: str, *statements: dict[str, Any], **more: Any) -> str:
    """The ARN of a new role with an inline policy."""
    iam = account.client("iam")
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted, **more)["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=document(*statements))
    return arn


@pytest.fixture
def ann(account: Account) -> Account:
    """A user who may assume any role."""
    return user_with_key(account, "ann", allow("sts:*"))


def test_who_am_i(account: Account) -> None:
    me = account.client("sts").get_caller_identity()
    assert (me["Account"], me["UserId"], me["Arn"]) == (account.id, account.id, f"arn:aws:iam::{account.id}:root")


def test_a_role_is_assumed(account: Account, ann: Account) -> None:
    arn = role(account, "app", trust({"AWS": account.id}), allow("iam:ListUsers"))
    answer = ann.client("sts").assume_role(RoleArn=arn, RoleSessionName="web")
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{account.id}:assumed-role/app/web"
    assert answer["AssumedRoleUser"]["AssumedRoleId"].endswith(":web")
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")
    session = client(account, "iam", answer["Credentials"])
    assert [user["UserName"] for user in session.list_users()["Users"]] == ["ann"]
    assert refused(session.list_roles)[1].startswith(
        f"User: arn:aws:sts::{account.id}:assumed-role/app/web is not authorized to perform: iam:ListRoles"
    )
    me = client(account, "sts", answer["Credentials"]).get_caller_identity()
    assert me["Arn"] == answer["AssumedRoleUser"]["Arn"]


def test_a_deleted_role_ends_its_sessions(account: Account, ann: Account) -> None:
    arn = role(account, "app", trust({"AWS": account.id}))
    session = client(account, "iam", ann.client("sts").assume_role(RoleArn=arn, RoleSessionName="web")["Credentials"])
    assert refused(session.list_users)[0] == "AccessDenied"
    account.client("iam").delete_role(RoleName="app")
    role(account, "app", trust({"AWS": account.id}), allow("*"))
    assert refused(session.list_users)[0] == "InvalidClientTokenId"


def test_who_may_assume(account: Account, cloud: Cloud) -> None:
    sts = user_with_key(account, "bob").client("sts")
    by_name = role(account, "one", trust({"AWS": f"arn:aws:iam::{account.id}:user/bob"}))
    by_account = role(account, "two", trust({"AWS": account.id}))
    other = role(account, "three", trust({"Service": "ec2.amazonaws.com"}))
    sts.assume_role(RoleArn=by_name, RoleSessionName="x1")
    assert "no identity-based policy allows" in refused(sts.assume_role, RoleArn=by_account, RoleSessionName="x1")[1]
    assert "no role trust policy allows" in refused(sts.assume_role, RoleArn=other, RoleSessionName="x1")[1]
    missing = f"arn:aws:iam::{account.id}:role/none"
    code, message = refused(sts.assume_role, RoleArn=missing, RoleSessionName="x1")
    assert code == "AccessDenied"
    assert f"is not authorized to perform: sts:AssumeRole on resource: {missing}" in message
    assert refused(account.client("sts").assume_role, RoleArn=by_account, RoleSessionName="x1") == (
        "AccessDenied",
        "Roles may not be assumed by root accounts.",
    )


def test_across_accounts_both_sides_must_allow(account: Account, cloud: Cloud) -> None:
    away = cloud.new_account()
    arn = role(away, "visitors", trust({"AWS": account.id}), allow("iam:ListUsers"))
    willing = user_with_key(account, "ann", allow("sts:AssumeRole")).client("sts")
    unwilling = user_with_key(account, "bob").client("sts")
    session = willing.assume_role(RoleArn=arn, RoleSessionName="visit")
    assert client(away, "sts", session["Credentials"]).get_caller_identity()["Account"] == away.id
    assert client(away, "iam", session["Credentials"]).list_users()["Users"] == []
    assert refused(unwilling.assume_role, RoleArn=arn, RoleSessionName="visit")[0] == "AccessDenied"
    closed = role(away, "closed", trust({"AWS": away.id}))
    assert refused(willing.assume_role, RoleArn=closed, RoleSessionName="visit")[0] == "AccessDenied"


def test_external_id(account: Account, ann: Account) -> None:
    condition = {"StringEquals": {"sts:ExternalId": "secret"}}
    arn = role(account, "app", trust({"AWS": account.id}, Condition=condition))
    sts = ann.client("sts")
    sts.assume_role(RoleArn=arn, RoleSessionName="web", ExternalId="secret")
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="web", ExternalId="wrong")[0] == "AccessDenied"
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="web")[0] == "AccessDenied"


def test_session_policy(account: Account, ann: Account) -> None:
    arn = role(account, "app", trust({"AWS": account.id}), allow("iam:*"))
    answer = ann.client("sts").assume_role(RoleArn=arn, RoleSessionName="web", Policy=document(allow("iam:ListUsers")))
    assert answer["PackedPolicySize"] >= 1
    session = client(account, "iam", answer["Credentials"])
    session.list_users()
    assert "because no session policy allows the iam:ListRoles action" in refused(session.list_roles)[1]
    broken = refused(ann.client("sts").assume_role, RoleArn=arn, RoleSessionName="web", Policy="{}")
    assert broken[0] == "MalformedPolicyDocument"


def test_session_tags(account: Account, ann: Account) -> None:
    both = document(
        {"Effect": "Allow", "Principal": {"AWS": account.id}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    )
    arn = role(
        account,
        "app",
        both,
        allow("iam:ListUsers", Condition={"StringEquals": {"aws:PrincipalTag/team": "red"}}),
    )
    sts = ann.client("sts")
    plain = sts.assume_role(RoleArn=arn, RoleSessionName="web")
    assert refused(client(account, "iam", plain["Credentials"]).list_users)[0] == "AccessDenied"
    tagged = sts.assume_role(RoleArn=arn, RoleSessionName="web", Tags=[{"Key": "team", "Value": "red"}])
    client(account, "iam", tagged["Credentials"]).list_users()
    untagged = role(account, "other", trust({"AWS": account.id}))
    code, message = refused(
        sts.assume_role, RoleArn=untagged, RoleSessionName="web", Tags=[{"Key": "team", "Value": "red"}]
    )
    assert code == "AccessDenied"
    assert "sts:TagSession" in message


def test_tags_of_the_role_and_of_the_user_behind_a_session(account: Account, ann: Account) -> None:
    iam, red = account.client("iam"), {"StringEquals": {"aws:PrincipalTag/team": "red"}}
    tagged = [{"Key": "Team", "Value": "red"}]
    arn = role(account, "app", trust({"AWS": account.id}), allow("ec2:DescribeRegions", Condition=red), Tags=tagged)
    made = ann.client("sts").assume_role(RoleArn=arn, RoleSessionName="web")
    client(account, "ec2", made["Credentials"]).describe_regions()
    iam.put_user_policy(
        UserName="ann", PolicyName="p", PolicyDocument=document(allow("ec2:DescribeRegions", Condition=red))
    )
    made = ann.client("sts").get_session_token()
    assert refused(client(account, "ec2", made["Credentials"]).describe_regions)[0] == "UnauthorizedOperation"
    iam.tag_user(UserName="ann", Tags=tagged)
    time.sleep(1)
    client(account, "ec2", made["Credentials"]).describe_regions()


def test_tags_that_go_on_with_the_next_role(account: Account, ann: Account) -> None:
    both = document(
        {"Effect": "Allow", "Principal": {"AWS": account.id}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    )
    first = role(account, "first", both, allow("sts:*"))
    red = allow("ec2:DescribeRegions", Condition={"StringEquals": {"aws:PrincipalTag/team": "red"}})
    second = role(account, "second", both, red)
    untagged = role(account, "third", trust({"AWS": account.id}))
    sts, tags = ann.client("sts"), [{"Key": "Team", "Value": "red"}]
    made = sts.assume_role(RoleArn=first, RoleSessionName="one", Tags=tags, TransitiveTagKeys=["team"])
    chained = client(account, "sts", made["Credentials"])
    assert "sts:TagSession" in refused(chained.assume_role, RoleArn=untagged, RoleSessionName="two")[1]
    made = chained.assume_role(RoleArn=second, RoleSessionName="two")
    client(account, "ec2", made["Credentials"]).describe_regions()
    assert refused(
        chained.assume_role, RoleArn=second, RoleSessionName="two", Tags=[{"Key": "TEAM", "Value": "x"}]
    ) == (
        "InvalidParameterValue",
        "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the "
        "calling session.",
    )
    assert refused(sts.assume_role, RoleArn=first, RoleSessionName="one", TransitiveTagKeys=["team"]) == (
        "InvalidParameterValue",
        "The specified transitive tag key must be included in the requested tags.",
    )
    twice = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
    assert refused(sts.assume_role, RoleArn=first, RoleSessionName="one", Tags=twice) == (
        "InvalidParameterValue",
        "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
    )
    assert refused(sts.assume_role, RoleArn="nothing-valid-in-here", RoleSessionName="one") == (
        "ValidationError",
        "nothing-valid-in-here is invalid",
    )


def test_durations(account: Account, ann: Account) -> None:
    arn = role(account, "app", trust({"AWS": account.id}), allow("sts:AssumeRole"), MaxSessionDuration=7200)
    sts = ann.client("sts")
    sts.assume_role(RoleArn=arn, RoleSessionName="web", DurationSeconds=7200)
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="web", DurationSeconds=7201) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )
    session = client(account, "sts", sts.assume_role(RoleArn=arn, RoleSessionName="web")["Credentials"])
    session.assume_role(RoleArn=arn, RoleSessionName="again")
    assert refused(session.assume_role, RoleArn=arn, RoleSessionName="again", DurationSeconds=3601) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    )


def test_session_token_of_a_user(account: Account, ann: Account) -> None:
    made = ann.client("sts").get_session_token()["Credentials"]
    session = client(account, "sts", made)
    assert session.get_caller_identity()["Arn"] == f"arn:aws:iam::{account.id}:user/ann"
    assert refused(session.get_session_token)[0] == "AccessDenied"
    with_mfa = allow("ec2:DescribeVpcs", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})
    without = allow("ec2:DescribeRegions", Condition={"Bool": {"aws:MultiFactorAuthPresent": "false"}})
    account.client("iam").put_user_policy(
        UserName="ann", PolicyName="p", PolicyDocument=document(allow("iam:*"), with_mfa, without)
    )
    ec2 = client(account, "ec2", made)
    ec2.describe_regions()
    assert refused(ec2.describe_vpcs)[0] == "UnauthorizedOperation"
    assert refused(ann.client("ec2").describe_regions)[0] == "UnauthorizedOperation"
    assert refused(client(account, "iam", made).list_users)[0] == "InvalidClientTokenId"


def test_federated_users_have_what_both_allow(account: Account) -> None:
    bob = user_with_key(account, "bob", allow(["sts:*", "ec2:DescribeRegions", "ec2:DescribeVpcs", "iam:ListUsers"]))
    both = document(allow(["ec2:DescribeRegions", "ec2:DescribeSubnets", "iam:ListUsers", "sts:*"]))
    made = bob.client("sts").get_federation_token(Name="guest", Policy=both)
    assert made["FederatedUser"]["Arn"] == f"arn:aws:sts::{account.id}:federated-user/guest"
    session = client(account, "ec2", made["Credentials"])
    session.describe_regions()
    assert "no session policy" in refused(session.describe_vpcs)[1]
    assert "no identity-based policy" in refused(session.describe_subnets)[1]
    assert refused(client(account, "iam", made["Credentials"]).list_users)[0] == "InvalidClientTokenId"
    app, sts = role(account, "app", trust({"AWS": account.id})), client(account, "sts", made["Credentials"])
    assert refused(sts.assume_role, RoleArn=app, RoleSessionName="s1")[0] == "AccessDenied"
    nothing = bob.client("sts").get_federation_token(Name="guest")
    assert refused(client(account, "ec2", nothing["Credentials"]).describe_regions)[0] == "UnauthorizedOperation"


def test_access_key_info(account: Account, ann: Account) -> None:
    sts = account.client("sts")
    assert sts.get_access_key_info(AccessKeyId=ann.access_key_id)["Account"] == account.id
    made = ann.client("sts").get_session_token()["Credentials"]["AccessKeyId"]
    assert sts.get_access_key_info(AccessKeyId=made)["Account"] == account.id
    assert refused(sts.get_access_key_info, AccessKeyId="AKIAIOSFODNN7EXAMPLE")[0] == "ValidationError"


def test_encoded_denials_of_ec2_can_be_read(account: Account, ann: Account, cloud: Cloud) -> None:
    code, message = refused(ann.client("ec2").describe_vpcs)
    assert code == "UnauthorizedOperation"
    assert message.startswith("You are not authorized to perform this operation. User: arn:aws:iam::")
    encoded = message.rpartition("message: ")[2]
    decoded = account.client("sts").decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"]
    assert '"action":"ec2:DescribeVpcs"' in decoded
    stranger = cloud.new_account().client("sts")
    assert refused(stranger.decode_authorization_message, EncodedMessage=encoded)[0].startswith("InvalidAuthorization")


def test_a_presigned_call(account: Account, ann: Account) -> None:
    """As EKS's tokens are made: whoever holds the URL learns who made it, for as long as it lasts."""
    url = ann.client("sts").generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert f"arn:aws:iam::{account.id}:user/ann" in answer.read().decode()
    for changed in (url.replace("GetCallerIdentity", "GetSessionToken"), url.replace("Expires=60", "Expires=600")):
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(changed, timeout=10)
        assert refusal.value.code == 403


def test_a_source_identity_stays_through_a_chain(account: Account, ann: Account) -> None:
    actions = ["sts:AssumeRole", "sts:SetSourceIdentity"]
    named = document({"Effect": "Allow", "Principal": {"AWS": account.id}, "Action": actions})
    first = role(account, "first", named, allow("sts:*"))
    red = allow("ec2:DescribeRegions", Condition={"StringEquals": {"aws:SourceIdentity": "ann.lee"}})
    second = role(account, "second", named, red)
    unwilling = role(account, "third", trust({"AWS": account.id}))
    sts = ann.client("sts")
    asked = {"RoleSessionName": "s1", "SourceIdentity": "ann.lee"}
    assert "sts:SetSourceIdentity" in refused(sts.assume_role, RoleArn=unwilling, **asked)[1]
    made = sts.assume_role(RoleArn=first, **asked)
    assert made["SourceIdentity"] == "ann.lee"
    chained = client(account, "sts", made["Credentials"])
    assert refused(chained.assume_role, RoleArn=second, RoleSessionName="s2", SourceIdentity="bob")[0] == "AccessDenied"
    assert "sts:SetSourceIdentity" in refused(chained.assume_role, RoleArn=unwilling, RoleSessionName="s2")[1]
    made = chained.assume_role(RoleArn=second, RoleSessionName="s2")
    assert made["SourceIdentity"] == "ann.lee"
    client(account, "ec2", made["Credentials"]).describe_regions()


def test_managed_session_policies(account: Account, ann: Account) -> None:
    iam = account.client("iam")
    arn = role(account, "app", trust({"AWS": account.id}), allow("iam:*"))
    own = iam.create_policy(PolicyName="lists", PolicyDocument=document(allow("iam:ListUsers")))["Policy"]["Arn"]
    sts = ann.client("sts")
    made = sts.assume_role(RoleArn=arn, RoleSessionName="s1", PolicyArns=[{"arn": own}])
    session = client(account, "iam", made["Credentials"])
    session.list_users()
    assert "no session policy" in refused(session.list_roles)[1]
    iam.delete_policy(PolicyArn=own)
    assert "no session policy" in refused(session.list_users)[1]
    foreign = own.replace(account.id, "123456789012")
    for wrong in ([{"arn": foreign}], [{"arn": own}] * 11):
        assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="s1", PolicyArns=wrong)[0] == "ValidationError"
