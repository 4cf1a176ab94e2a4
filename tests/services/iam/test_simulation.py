"""The policy simulator and the account's summary through boto3."""

from __future__ import annotations

import json
from typing import Any

from tests.cloud import Account
from tests.services.iam.conftest import allow, deny, document, user_with_key
from tests.services.iam.test_identities import refused

BUCKET = "arn:aws:s3:::bucket"


def decisions(answer: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (item["EvalActionName"], item["EvalResourceName"], item["EvalDecision"]) for item in answer["EvaluationResults"]
    ]


def test_custom_policies(iam: Any) -> None:
    answer = iam.simulate_custom_policy(
        PolicyInputList=[document(allow("s3:*", f"{BUCKET}/*")), document(deny("s3:Put*"))],
        ActionNames=["s3:GetObject", "s3:PutObject", "sqs:SendMessage"],
        ResourceArns=[f"{BUCKET}/key"],
    )
    assert decisions(answer) == [
        ("s3:GetObject", f"{BUCKET}/key", "allowed"),
        ("s3:PutObject", f"{BUCKET}/key", "explicitDeny"),
        ("sqs:SendMessage", f"{BUCKET}/key", "implicitDeny"),
    ]
    matched = [item["MatchedStatements"] for item in answer["EvaluationResults"]]
    assert matched == [
        [{"SourcePolicyId": "PolicyInputList.1", "SourcePolicyType": "IAM Policy"}],
        [{"SourcePolicyId": "PolicyInputList.2", "SourcePolicyType": "IAM Policy"}],
        [],
    ]


def test_context_boundary_and_organization(iam: Any) -> None:
    secure = {"Bool": {"aws:SecureTransport": "true"}}
    request: dict[str, Any] = {
        "PolicyInputList": [document(allow("s3:*", Condition=secure))],
        "ActionNames": ["s3:GetObject"],
    }
    [result] = iam.simulate_custom_policy(**request)["EvaluationResults"]
    assert (result["EvalDecision"], result["MissingContextValues"]) == ("implicitDeny", ["aws:SecureTransport"])
    entry = {"ContextKeyName": "aws:SecureTransport", "ContextKeyValues": ["true"], "ContextKeyType": "boolean"}
    request["ContextEntries"] = [entry]
    assert decisions(iam.simulate_custom_policy(**request))[0][2] == "allowed"
    bounded = iam.simulate_custom_policy(**request, PermissionsBoundaryPolicyInputList=[document(allow("sqs:*"))])[
        "EvaluationResults"
    ][0]
    assert bounded["EvalDecision"] == "implicitDeny"
    assert bounded["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    levels = [{"ServiceControlPolicyInputList": [document(allow("*"), deny("s3:*"))]}]
    controlled = iam.simulate_custom_policy(**request, OrderedOrganizationPolicyInputList=levels)["EvaluationResults"][
        0
    ]
    assert controlled["EvalDecision"] == "explicitDeny"
    assert controlled["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": False}


def test_a_resource_policy(iam: Any, account: Account) -> None:
    caller = f"arn:aws:iam::{account.id}:user/ann"
    statement = {"Effect": "Allow", "Principal": {"AWS": caller}, "Action": "s3:GetObject", "Resource": "*"}
    answer = iam.simulate_custom_policy(
        PolicyInputList=[document(deny("sqs:*"))],
        ActionNames=["s3:GetObject"],
        CallerArn=caller,
        ResourceArns=[f"{BUCKET}/key"],
        ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    assert answer["EvaluationResults"][0]["EvalDecision"] == "allowed"
    assert answer["EvaluationResults"][0]["MatchedStatements"][0]["SourcePolicyType"] == "resource"


def test_policies_of_a_user(iam: Any, account: Account) -> None:
    user_with_key(account, "ann", allow("s3:*", f"{BUCKET}/${{aws:username}}/*"))
    iam.create_group(GroupName="team")
    iam.attach_group_policy(GroupName="team", PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    iam.add_user_to_group(GroupName="team", UserName="ann")
    source = f"arn:aws:iam::{account.id}:user/ann"
    answer = iam.simulate_principal_policy(
        PolicySourceArn=source,
        ActionNames=["s3:GetObject", "iam:GetUser"],
        ResourceArns=[f"{BUCKET}/ann/x", f"{BUCKET}/bob/x"],
    )
    assert [decision for _, _, decision in decisions(answer)] == ["allowed", "implicitDeny", "allowed", "allowed"]
    types = {item["SourcePolicyType"] for result in answer["EvaluationResults"] for item in result["MatchedStatements"]}
    assert types == {"user", "aws-managed"}
    assert iam.get_context_keys_for_principal_policy(PolicySourceArn=source)["ContextKeyNames"] == ["aws:username"]
    assert refused(iam.simulate_principal_policy, PolicySourceArn=source + "x", ActionNames=["s3:GetObject"])[0] == (
        "NoSuchEntity"
    )


def test_pages_of_results(iam: Any) -> None:
    actions = [f"s3:Get{letter}" for letter in "ABCDE"]
    pages = iam.get_paginator("simulate_custom_policy").paginate(
        PolicyInputList=[document(allow("s3:*"))], ActionNames=actions, PaginationConfig={"PageSize": 2}
    )
    assert [[item["EvalActionName"] for item in page["EvaluationResults"]] for page in pages] == [
        actions[:2],
        actions[2:4],
        actions[4:],
    ]


def test_refusals(iam: Any) -> None:
    assert (
        refused(iam.simulate_custom_policy, PolicyInputList=["{}"], ActionNames=["s3:GetObject"])[0] == "InvalidInput"
    )
    good = [document(allow("s3:*"))]
    assert refused(iam.simulate_custom_policy, PolicyInputList=good, ActionNames=["nothing"])[0] == "InvalidInput"
    many = [f"s3:Get{number}" for number in range(100)]
    arns = [f"{BUCKET}/{number}" for number in range(11)]
    code, _ = refused(iam.simulate_custom_policy, PolicyInputList=good, ActionNames=many, ResourceArns=arns)
    assert code == "InvalidInput"


def test_context_keys(iam: Any) -> None:
    condition = {"StringEquals": {"aws:RequestTag/team": "${aws:PrincipalTag/team}"}}
    keys = iam.get_context_keys_for_custom_policy(
        PolicyInputList=[document(allow("s3:*", f"{BUCKET}/${{aws:username, 'x'}}/${{*}}", Condition=condition))]
    )
    assert keys["ContextKeyNames"] == ["aws:PrincipalTag/team", "aws:RequestTag/team", "aws:username"]


def test_summary(iam: Any) -> None:
    iam.create_user(UserName="ann")
    summary = iam.get_account_summary()["SummaryMap"]
    assert (summary["Users"], summary["Groups"], summary["AccountAccessKeysPresent"]) == (1, 0, 1)
    assert (summary["AccessKeysPerUserQuota"], summary["UserPolicySizeQuota"]) == (2, 2048)
