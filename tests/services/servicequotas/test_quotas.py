"""Quotas are what the services enforce: through boto3, also by many at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from controlplane.access.quotas import catalogue
from tests.cloud import Account, Cloud
from tests.services.iam.conftest import document, trust
from tests.services.organizations.test_organizations import code

VPCS = {"ServiceCode": "vpc", "QuotaCode": "L-F678F1CE"}


def test_what_is_declared_is_listed(account: Account) -> None:
    client = account.client("service-quotas")
    assert {"ec2", "vpc", "organizations"} <= {item["ServiceCode"] for item in client.list_services()["Services"]}
    (vpcs,) = [
        item for item in client.list_service_quotas(ServiceCode="vpc")["Quotas"] if item["QuotaCode"] == "L-F678F1CE"
    ]
    assert (vpcs["Value"], vpcs["QuotaName"], vpcs["Adjustable"]) == (5.0, "VPCs per Region", True)
    assert vpcs["QuotaArn"] == f"arn:aws:servicequotas:us-east-1:{account.id}:vpc/L-F678F1CE"
    assert client.get_aws_default_service_quota(**VPCS)["Quota"]["Value"] == 5.0
    assert len(client.list_aws_default_service_quotas(ServiceCode="vpc")["Quotas"]) == sum(
        quota.service == "vpc" for quota in catalogue().values()
    )
    assert code(lambda: client.get_service_quota(ServiceCode="vpc", QuotaCode="L-0")) == "NoSuchResourceException"


def test_many_at_a_time_get_no_more_than_the_quota(account: Account) -> None:
    """Four beside the default VPC; sixteen requests race for them."""

    def create(number: int) -> str:
        try:
            account.client("ec2").create_vpc(CidrBlock=f"10.{number}.0.0/16")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "made"

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(create, range(16)))
    assert sorted(answers) == ["VpcLimitExceeded"] * 12 + ["made"] * 4
    assert len(account.client("ec2").describe_vpcs()["Vpcs"]) == 5
    account.client("ec2", region="eu-west-1").create_vpc(CidrBlock="10.0.0.0/16")  # each region for itself


def test_the_owner_grants_more_and_less(account: Account, cloud: Cloud) -> None:
    client, ec2 = account.client("service-quotas"), account.client("ec2")
    for number in range(4):
        ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")
    more = {**VPCS, "DesiredValue": 6.0}
    assert code(lambda: client.request_service_quota_increase(**VPCS, DesiredValue=5)) == "IllegalArgumentException"
    asked = client.request_service_quota_increase(**more)["RequestedQuota"]
    assert asked["Status"] == "PENDING"
    assert code(lambda: client.request_service_quota_increase(**more)) == "ResourceAlreadyExistsException"
    assert code(lambda: ec2.create_vpc(CidrBlock="10.8.0.0/16")) == "VpcLimitExceeded"
    assert asked["Id"] in cloud.celaje("quota", "list")
    cloud.celaje("quota", "approve", asked["Id"])
    assert cloud.try_celaje("quota", "deny", asked["Id"]).returncode != 0
    history = client.list_requested_service_quota_change_history_by_quota(**VPCS)["RequestedQuotas"]
    assert [(item["Id"], item["Status"]) for item in history] == [(asked["Id"], "APPROVED")]
    assert client.get_service_quota(**VPCS)["Quota"]["Value"] == 6.0
    ec2.create_vpc(CidrBlock="10.8.0.0/16")
    assert code(lambda: ec2.create_vpc(CidrBlock="10.9.0.0/16")) == "VpcLimitExceeded"
    cloud.celaje("quota", "set", "ec2/L-0263D0A3", "1", "--account", account.id)
    ec2.allocate_address()
    assert code(ec2.allocate_address) == "AddressLimitExceeded"
    other = cloud.new_account().client("service-quotas")
    assert code(lambda: other.get_requested_service_quota_change(RequestId=asked["Id"])) == "NoSuchResourceException"


def test_identities_and_keys_are_counted(account: Account, cloud: Cloud) -> None:
    """Granted quotas hold from the next request on, in every gateway."""
    iam, kms = account.client("iam"), account.client("kms")
    trusted = trust({"Service": "ec2.amazonaws.com"})
    nothing = document({"Effect": "Deny", "Action": "*", "Resource": "*"})
    makers: dict[str, Any] = {
        "iam/L-F55AF5E4": lambda name: iam.create_user(UserName=name),
        "iam/L-F4A5425F": lambda name: iam.create_group(GroupName=name),
        "iam/L-FE177D64": lambda name: iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted),
        "iam/L-E95E4862": lambda name: iam.create_policy(PolicyName=name, PolicyDocument=nothing),
        "iam/L-6E65F664": lambda name: iam.create_instance_profile(InstanceProfileName=name),
        "kms/L-C2F1777E": lambda name: kms.create_key(Description=name),
    }
    for quota, make in makers.items():
        cloud.grant(account, quota, 1)
        make("first")
        assert code(lambda make=make: make("second")) in ("LimitExceeded", "LimitExceededException"), quota
        cloud.grant(account, quota, 2)
        make("second")
    summary = iam.get_account_summary()["SummaryMap"]
    assert (summary["Users"], summary["UsersQuota"], summary["RolesQuota"]) == (2, 2, 2)


@pytest.mark.machines
def test_processors_are_counted(account: Account, cloud: Cloud, tiny_image: str) -> None:
    ec2: Any = account.client("ec2")
    cloud.celaje("quota", "set", "ec2/L-1216C47A", "3", "--account", account.id)
    launch = {"ImageId": tiny_image, "InstanceType": "t3.nano", "MinCount": 2, "MaxCount": 2}
    assert code(lambda: ec2.run_instances(**launch)) == "VcpuLimitExceeded"
    [launched] = [item["InstanceId"] for item in ec2.run_instances(**{**launch, "MinCount": 1})["Instances"]]
    assert code(lambda: ec2.run_instances(**{**launch, "MinCount": 1, "MaxCount": 1})) == "VcpuLimitExceeded"
    ec2.terminate_instances(InstanceIds=[launched])
