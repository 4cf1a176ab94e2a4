"""Budget actions through boto3: they really deny and really stop."""

from __future__ import annotations

import json
import os
import signal
from datetime import timedelta
from typing import Any

import pytest

from tests.cloud import Account, Cloud
from tests.services.budgets.conftest import (
    LAST_MONTH,
    NOW,
    history,
    in_database,
    look_again,
    make_action,
    make_budget,
    make_role,
    used,
    wait_for,
)
from tests.services.iam.conftest import document, user_with_key
from tests.services.organizations.conftest import Organization
from tests.services.organizations.test_organizations import code

EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
NO_LAUNCHES = {"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "*"}
LAUNCH = {"ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.nano", "MinCount": 1, "MaxCount": 1}


def overspend(cloud: Cloud, account: Account) -> None:
    used(cloud, account, 10, NOW - timedelta(minutes=1))


def deny_launches(account: Account, role: str, *users: str, **more: Any) -> str:
    made = account.client("iam").create_policy(PolicyName="no-launches", PolicyDocument=document(NO_LAUNCHES))
    policy = {"PolicyArn": made["Policy"]["Arn"], "Users": list(users)}
    return make_action(account, role, "APPLY_IAM_POLICY", {"IamActionDefinition": policy}, **more)


def execute(account: Account, action: str, what: str) -> None:
    account.client("budgets").execute_budget_action(
        AccountId=account.id, BudgetName="class", ActionId=action, ExecutionType=f"{what}_BUDGET_ACTION"
    )


def test_launches_are_denied_until_the_next_period(account: Account, cloud: Cloud) -> None:
    ec2 = user_with_key(account, "student", EVERYTHING).client("ec2")
    make_budget(account)
    action = deny_launches(account, make_role(account), "student")
    assert code(lambda: ec2.run_instances(**LAUNCH)) == "InvalidAMIID.NotFound"
    overspend(cloud, account)
    look_again(cloud, account)
    wait_for(account, action, "EXECUTION_SUCCESS")
    cloud.wait_until(lambda: code(lambda: ec2.run_instances(**LAUNCH)) == "UnauthorizedOperation", 5)
    assert code(lambda: execute(account, action, "APPROVE")) == "InvalidParameterException"
    # A month ends: the ledger's rows become last month's.
    for statement in (
        "UPDATE usage_ledger SET period = $2 WHERE account_id = $1",
        "UPDATE budgets_budgets SET period = $2 WHERE account_id = $1",
    ):
        in_database(cloud, statement, account.id, LAST_MONTH)
    look_again(cloud, account)
    wait_for(account, action, "STANDBY")
    cloud.wait_until(lambda: code(lambda: ec2.run_instances(**LAUNCH)) == "InvalidAMIID.NotFound", 5)
    assert history(account, action) == [
        ("CREATE_ACTION", "STANDBY"),
        ("SYSTEM", "EXECUTION_IN_PROGRESS"),
        ("SYSTEM", "EXECUTION_SUCCESS"),
        ("SYSTEM", "RESET_IN_PROGRESS"),
        ("SYSTEM", "STANDBY"),
    ]


def test_nothing_is_done_before_it_is_approved_and_it_can_be_undone(account: Account, cloud: Cloud) -> None:
    overspend(cloud, account)
    user_with_key(account, "student")
    make_budget(account)
    action = deny_launches(account, make_role(account), "student", ApprovalModel="MANUAL")
    wait_for(account, action, "PENDING")
    iam = account.client("iam")

    def attached() -> list[str]:
        return [item["PolicyName"] for item in iam.list_attached_user_policies(UserName="student")["AttachedPolicies"]]

    assert attached() == []
    execute(account, action, "APPROVE")
    wait_for(account, action, "EXECUTION_SUCCESS")
    assert attached() == ["no-launches"]
    execute(account, action, "REVERSE")
    wait_for(account, action, "REVERSE_SUCCESS")
    assert attached() == []
    look_again(cloud, account)
    execute(account, action, "RESET")  # armed again, and the threshold is still passed
    wait_for(account, action, "PENDING")
    client = account.client("budgets")
    deleted = client.delete_budget_action(AccountId=account.id, BudgetName="class", ActionId=action)
    assert deleted["Action"]["ActionId"] == action
    assert client.describe_budget_actions_for_account(AccountId=account.id)["Actions"] == []


def test_what_the_role_may_not_is_not_done(account: Account, cloud: Cloud) -> None:
    overspend(cloud, account)
    user_with_key(account, "student")
    make_budget(account)
    role = make_role(account)
    account.client("iam").delete_role_policy(RoleName="execution", PolicyName="all")
    action = deny_launches(account, role, "student", "nobody")
    wait_for(account, action, "EXECUTION_FAILURE")
    found = account.client("budgets").describe_budget_action_histories(
        AccountId=account.id, BudgetName="class", ActionId=action
    )["ActionHistories"][0]["ActionHistoryDetails"]
    assert "assumed-role/execution/BudgetsAction is not authorized to perform: iam:AttachUserPolicy" in found["Message"]
    account.client("iam").put_role_policy(RoleName="execution", PolicyName="all", PolicyDocument=document(EVERYTHING))
    execute(account, action, "RETRY")
    wait_for(account, action, "EXECUTION_FAILURE")  # one of the two users is not there; the other is served
    assert account.client("iam").list_attached_user_policies(UserName="student")["AttachedPolicies"]


def test_roles_that_do_not_trust_budgets_and_definitions_that_do_not_fit(account: Account) -> None:
    iam = account.client("iam")
    make_budget(account)
    trust = {"Version": "2012-10-17", "Statement": [{**EVERYTHING, "Principal": {"Service": "ec2.amazonaws.com"}}]}
    trust["Statement"][0].pop("Resource")  # type: ignore[attr-defined]
    trust["Statement"][0]["Action"] = "sts:AssumeRole"  # type: ignore[index]
    iam.create_role(RoleName="other", AssumeRolePolicyDocument=json.dumps(trust))
    policy = {"IamActionDefinition": {"PolicyArn": "arn:aws:iam::aws:policy/AWSDenyAll", "Users": ["student"]}}
    role = make_role(account)
    for arn in (f"arn:aws:iam::{account.id}:role/other", f"arn:aws:iam::{account.id}:role/none"):
        assert code(lambda arn=arn: make_action(account, arn, "APPLY_IAM_POLICY", policy)) == "AccessDeniedException"
    for type, definition in (
        ("APPLY_SCP_POLICY", policy),
        ("APPLY_IAM_POLICY", {}),
        ("APPLY_IAM_POLICY", {"IamActionDefinition": {"PolicyArn": "arn:aws:iam::aws:policy/AWSDenyAll"}}),
    ):
        refused = code(lambda type=type, definition=definition: make_action(account, role, type, definition))
        assert refused == "InvalidParameterException"
    teacher = user_with_key(account, "teacher", {"Effect": "Allow", "Action": "budgets:*", "Resource": "*"})
    refused = code(lambda: make_action(teacher, role, "APPLY_IAM_POLICY", policy))
    assert refused == "AccessDeniedException"  # who may not pass the role gets nothing done with it


def test_a_member_is_bound_by_a_control_policy(cloud: Cloud) -> None:
    organization = Organization(cloud.new_account())
    organization.enable()
    student, management = organization.make_account(), organization.management
    denial = organization.policy(NO_LAUNCHES)
    make_budget(management, CostFilters={"LinkedAccount": [student.id]})
    definition = {"ScpActionDefinition": {"PolicyId": denial, "TargetIds": [student.id]}}
    action = make_action(management, make_role(management), "APPLY_SCP_POLICY", definition)
    overspend(cloud, student)
    look_again(cloud, management)
    wait_for(management, action, "EXECUTION_SUCCESS")
    ec2 = student.client("ec2")
    cloud.wait_until(lambda: code(lambda: ec2.run_instances(**LAUNCH)) == "UnauthorizedOperation", 5)
    execute(management, action, "REVERSE")
    wait_for(management, action, "REVERSE_SUCCESS")
    cloud.wait_until(lambda: code(lambda: ec2.run_instances(**LAUNCH)) == "InvalidAMIID.NotFound", 5)


@pytest.mark.machines
def test_instances_are_really_stopped(lab: Any, account: Account, cloud: Cloud) -> None:
    """While the worker is killed; an instance that is gone does not save the others."""
    [instance] = lab.launch()
    lab.wait(instance, "running")
    make_budget(account)
    role = make_role(account)
    account.client("iam").put_role_policy(
        RoleName="execution",
        PolicyName="all",
        PolicyDocument=document(
            {
                "Effect": "Allow",
                "Action": ["ec2:StopInstances", "ec2:StartInstances"],
                "Resource": "*",
                "Condition": {"ForAnyValue:StringEquals": {"aws:CalledVia": ["ssm.amazonaws.com"]}},
            },
            {"Effect": "Allow", "Action": "ssm:StartAutomationExecution", "Resource": "*"},
        ),
    )
    definition = {
        "SsmActionDefinition": {
            "ActionSubType": "STOP_EC2_INSTANCES",
            "Region": "us-east-1",
            "InstanceIds": ["i-0123456789abcdef0", instance],
        }
    }
    action = make_action(account, role, "RUN_SSM_DOCUMENTS", definition)
    overspend(cloud, account)
    look_again(cloud, account)
    os.kill(cloud.process("worker")["pid"], signal.SIGKILL)
    wait_for(account, action, "EXECUTION_FAILURE", 40)
    lab.wait(instance, "stopped")
