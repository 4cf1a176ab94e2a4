"""An instance profile's credentials: taken inside the machine, good for what the role may and for nothing else."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.cloud import Account
from tests.machines import Lab

pytestmark = pytest.mark.machines

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
LOOK = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "*"}],
}
SCRIPT = Path(__file__).with_name("signed-call.sh")
ROLES = "http://169.254.169.254/latest/meta-data/iam/security-credentials/"


def test_credentials_from_inside_work(account: Account, lab: Lab) -> None:
    iam = account.client("iam")
    iam.create_role(RoleName="looker", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName="looker", PolicyName="look", PolicyDocument=json.dumps(LOOK))
    iam.create_instance_profile(InstanceProfileName="profile")
    iam.add_role_to_instance_profile(InstanceProfileName="profile", RoleName="looker")
    (id,) = lab.launch(IamInstanceProfile={"Name": "profile"})
    assert lab.ssh(id, f"wget -qO- {ROLES}").strip() == "looker"
    given = json.loads(lab.ssh(id, f"wget -qO- {ROLES}looker"))
    inside = _session(account, given)

    me = inside.client("sts", endpoint_url=account.endpoint).get_caller_identity()
    assert me["Arn"] == f"arn:aws:sts::{account.id}:assumed-role/looker/{id}"
    ec2 = inside.client("ec2", endpoint_url=account.endpoint)
    assert ec2.describe_instances(InstanceIds=[id])["Reservations"]
    with pytest.raises(ClientError) as refused:
        ec2.terminate_instances(InstanceIds=[id])
    assert refused.value.response["Error"]["Code"] == "UnauthorizedOperation"

    # What the role may is asked at every call, not when the credentials were given out.
    iam.delete_role_policy(RoleName="looker", PolicyName="look")
    deadline = time.monotonic() + 1
    while _allowed(ec2):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_machine_calls_the_api_from_inside(account: Account, lab: Lab) -> None:
    vpc = account.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    only_from_inside = {**LOOK["Statement"][0], "Condition": {"StringEquals": {"aws:SourceVpc": vpc}}}
    by_address = {
        "Effect": "Allow",
        "Action": "ec2:DescribeVpcs",
        "Resource": "*",
        "Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}},
    }
    iam = account.client("iam")
    iam.create_role(RoleName="insider", AssumeRolePolicyDocument=json.dumps(TRUST))
    policy = {"Version": "2012-10-17", "Statement": [only_from_inside, by_address]}
    iam.put_role_policy(RoleName="insider", PolicyName="look", PolicyDocument=json.dumps(policy))
    iam.create_instance_profile(InstanceProfileName="inside")
    iam.add_role_to_instance_profile(InstanceProfileName="inside", RoleName="insider")
    (id,) = lab.launch(IamInstanceProfile={"Name": "inside"})
    host = f"celaje.internal:{account.endpoint.rpartition(':')[2]}"
    script = SCRIPT.read_text()
    lab.ssh(id, f"cat > /tmp/call.sh <<'END'\n{script}\nEND")

    def call(service: str, body: str) -> str:
        return lab.ssh(id, f"sh /tmp/call.sh {host} {service} '{body}' 2>&1 || true")

    me = call("sts", "Action=GetCallerIdentity&Version=2011-06-15")
    assert f"<Arn>arn:aws:sts::{account.id}:assumed-role/insider/{id}</Arn>" in me, me
    assert id in call("ec2", "Action=DescribeInstances&Version=2016-11-15")
    assert "403" in call("ec2", "Action=DescribeVpcs&Version=2016-11-15"), "as through an endpoint: no aws:SourceIp"

    given = json.loads(lab.ssh(id, f"wget -qO- {ROLES}insider"))
    outside = _session(account, given).client("ec2", endpoint_url=account.endpoint)
    with pytest.raises(ClientError) as refused:
        outside.describe_instances()
    assert refused.value.response["Error"]["Code"] == "UnauthorizedOperation"
    outside.describe_vpcs()
    assert "403 Forbidden" in lab.ssh(id, f"wget -qO- http://{host}/_celaje/health 2>&1 || true")


def _session(account: Account, given: dict[str, str]) -> Any:
    return boto3.Session(
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["Token"],
        region_name="us-east-1",
    )


def _allowed(ec2: Any) -> bool:
    try:
        ec2.describe_instances()
    except ClientError:
        return False
    return True


def test_a_role_is_handed_over_only_with_permission(account: Account, lab: Lab) -> None:
    iam = account.client("iam")
    iam.create_role(RoleName="looker", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.create_instance_profile(InstanceProfileName="profile")
    iam.add_role_to_instance_profile(InstanceProfileName="profile", RoleName="looker")
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    no_handing = {"Effect": "Deny", "Action": "iam:PassRole", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [everything, no_handing]}
    iam.create_user(UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    ann = Account(account.endpoint, account.id, key["AccessKeyId"], key["SecretAccessKey"]).client("ec2")
    with pytest.raises(ClientError) as refused:
        ann.run_instances(
            ImageId=lab.ami, MinCount=1, MaxCount=1, InstanceType="t3.nano", IamInstanceProfile={"Name": "profile"}
        )
    assert refused.value.response["Error"]["Code"] == "UnauthorizedOperation"
    assert "iam:PassRole" in refused.value.response["Error"]["Message"]
