"""The account as a whole: alias, summary, authorization details, service-linked roles, last accesses."""

from __future__ import annotations

import time
import uuid
from typing import Any

from tests.cloud import Account, Cloud
from tests.services.iam.conftest import allow, document, trust, user_with_key
from tests.services.iam.test_policies import refused

READ = document(allow("s3:Get*"))


def test_alias(iam: Any, cloud: Cloud) -> None:
    name = f"school-{uuid.uuid4().hex[:8]}"
    iam.create_account_alias(AccountAlias=name)
    assert iam.list_account_aliases()["AccountAliases"] == [name]
    other = cloud.new_account().client("iam")
    assert refused(other.create_account_alias, AccountAlias=name) == (
        "EntityAlreadyExists",
        f"The account alias {name} already exists.",
    )
    assert refused(other.delete_account_alias, AccountAlias=name)[0] == "NoSuchEntity"
    iam.delete_account_alias(AccountAlias=name)
    assert iam.list_account_aliases()["AccountAliases"] == []
    other.create_account_alias(AccountAlias=name)


def test_service_linked_role(iam: Any, account: Account) -> None:
    role = iam.create_service_linked_role(AWSServiceName="batch.amazonaws.com")["Role"]
    assert role["Arn"] == f"arn:aws:iam::{account.id}:role/aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch"
    name = role["RoleName"]
    [policy] = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert policy["PolicyArn"] == "arn:aws:iam::aws:policy/aws-service-role/BatchServiceRolePolicy"
    for call, more in (
        (iam.put_role_policy, {"PolicyName": "p", "PolicyDocument": READ}),
        (iam.attach_role_policy, {"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
        (iam.update_assume_role_policy, {"PolicyDocument": trust({"AWS": account.id})}),
        (iam.delete_role, {}),
    ):
        assert refused(call, RoleName=name, **more)[0] == "UnmodifiableEntity"
    assert refused(iam.create_service_linked_role, AWSServiceName="batch.amazonaws.com")[0] == "InvalidInput"
    task = iam.delete_service_linked_role(RoleName=name)["DeletionTaskId"]
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    assert refused(iam.get_role, RoleName=name)[0] == "NoSuchEntity"


def test_authorization_details(iam: Any, account: Account) -> None:
    policy = iam.create_policy(PolicyName="own", PolicyDocument=READ)["Policy"]["Arn"]
    iam.create_group(GroupName="staff")
    iam.put_group_policy(GroupName="staff", PolicyName="in", PolicyDocument=READ)
    for name in ("ann", "bob"):
        iam.create_user(UserName=name)
        iam.add_user_to_group(GroupName="staff", UserName=name)
    iam.attach_user_policy(UserName="ann", PolicyArn=policy)
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust({"Service": "ec2.amazonaws.com"}))
    iam.create_instance_profile(InstanceProfileName="box")
    iam.add_role_to_instance_profile(InstanceProfileName="box", RoleName="worker")
    pages = iam.get_paginator("get_account_authorization_details").paginate(
        Filter=["User", "Role", "Group", "LocalManagedPolicy"], PaginationConfig={"PageSize": 2}
    )
    whole = pages.build_full_result()
    users = {user["UserName"]: user for user in whole["UserDetailList"]}
    assert users.keys() == {"ann", "bob"} and users["bob"]["GroupList"] == ["staff"]
    assert users["ann"]["AttachedManagedPolicies"] == [{"PolicyName": "own", "PolicyArn": policy}]
    [group] = whole["GroupDetailList"]
    assert group["GroupPolicyList"][0]["PolicyDocument"]["Statement"]
    [role] = whole["RoleDetailList"]
    assert role["InstanceProfileList"][0]["InstanceProfileName"] == "box"
    [own] = whole["Policies"]
    assert own["PolicyVersionList"][0]["VersionId"] == "v1" and own["AttachmentCount"] == 1
    aws = iam.get_account_authorization_details(Filter=["AWSManagedPolicy"], MaxItems=10)
    assert len(aws["Policies"]) == 10 and aws["IsTruncated"] and not aws["UserDetailList"]


def test_policies_of_aws_hold_what_they_are_named_for(iam: Any, account: Account) -> None:
    pages = iam.get_paginator("list_policies").paginate(Scope="AWS", PaginationConfig={"PageSize": 1000})
    assert sum(len(page["Policies"]) for page in pages) > 100
    reader = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    ann = user_with_key(account, "ann").client("iam")
    iam.attach_user_policy(UserName="ann", PolicyArn=reader)
    assert ann.list_users()["Users"]
    assert refused(ann.create_user, UserName="x")[0] == "AccessDenied"
    basic = iam.get_policy(PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")["Policy"]
    version = iam.get_policy_version(PolicyArn=basic["Arn"], VersionId=basic["DefaultVersionId"])
    [statement] = version["PolicyVersion"]["Document"]["Statement"]
    assert set(statement["Action"]) == {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}


def test_last_accessed(iam: Any, account: Account) -> None:
    ann = user_with_key(account, "ann", allow(["iam:List*", "sqs:*"]))
    ann.client("iam").list_users()
    arn = f"arn:aws:iam::{account.id}:user/ann"
    deadline = time.monotonic() + 10
    while True:
        job = iam.generate_service_last_accessed_details(Arn=arn)["JobId"]
        report = iam.get_service_last_accessed_details(JobId=job)
        services = {item["ServiceNamespace"]: item for item in report["ServicesLastAccessed"]}
        if services["iam"]["TotalAuthenticatedEntities"] or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert services.keys() == {"iam", "sqs"}
    assert services["iam"]["LastAuthenticatedEntity"] == arn and "LastAuthenticated" not in services["sqs"]
    [entity] = iam.get_service_last_accessed_details_with_entities(JobId=job, ServiceNamespace="iam")[
        "EntityDetailsList"
    ]
    assert entity["EntityInfo"]["Name"] == "ann"
    [granting] = iam.list_policies_granting_service_access(Arn=arn, ServiceNamespaces=["sqs"])[
        "PoliciesGrantingServiceAccess"
    ]
    assert [item["PolicyName"] for item in granting["Policies"]] == ["inline"]
