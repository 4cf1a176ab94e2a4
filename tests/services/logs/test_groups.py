"""Groups and streams: made, listed, named by ARN, deleted; and who may."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cloud import Account, Cloud
from tests.services.iam.conftest import user_with_key
from tests.services.logs.conftest import Group, code, messages, now


def test_groups_are_listed_by_name_in_pages(account: Account) -> None:
    logs = account.client("logs")
    for name in ("b", "a", "/x/1", "/x/2", "B"):
        logs.create_log_group(logGroupName=name)
    assert code(logs.create_log_group, logGroupName="a") == "ResourceAlreadyExistsException"
    pages = logs.get_paginator("describe_log_groups").paginate(PaginationConfig={"PageSize": 2})
    assert [group["logGroupName"] for page in pages for group in page["logGroups"]] == ["/x/1", "/x/2", "B", "a", "b"]
    assert [group["logGroupName"] for group in logs.describe_log_groups(logGroupNamePrefix="/x")["logGroups"]] == [
        "/x/1",
        "/x/2",
    ]
    names = [group["logGroupName"] for group in logs.list_log_groups(logGroupNamePattern="x/2|^/x/1")["logGroups"]]
    assert names == ["/x/1", "/x/2"]
    assert account.client("logs", region="eu-west-1").describe_log_groups()["logGroups"] == []


def test_streams_are_listed_by_name_or_last_event(group: Group) -> None:
    at = now()
    for number, name in enumerate(("c", "a", "b")):
        group.stream(name)
        group.put([(at + number, "x")], name)
    assert code(group.stream, name="a") == "ResourceAlreadyExistsException"

    def names(**more: Any) -> list[str]:
        pages = group.client.get_paginator("describe_log_streams").paginate(
            logGroupName=group.name, PaginationConfig={"PageSize": 2}, **more
        )
        return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]

    assert names() == ["a", "b", "c", "s"]
    assert names(descending=True) == ["s", "c", "b", "a"]
    assert names(orderBy="LastEventTime", descending=True) == ["b", "a", "c", "s"]
    assert names(logStreamNamePrefix="b") == ["b"]
    refused = {"orderBy": "LastEventTime", "logStreamNamePrefix": "b", "logGroupName": group.name}
    assert code(group.client.describe_log_streams, **refused) == "InvalidParameterException"


def test_what_is_deleted_takes_its_events_along(group: Group) -> None:
    group.put([(now(), "old")])
    group.client.delete_log_stream(logGroupName=group.name, logStreamName="s")
    assert group.found() == []
    assert code(group.get) == "ResourceNotFoundException"
    group.stream()
    assert messages(group.get()) == []
    protection = {"logGroupIdentifier": group.shown()["logGroupArn"], "deletionProtectionEnabled": True}
    group.client.put_log_group_deletion_protection(**protection)
    assert code(group.client.delete_log_group, logGroupName=group.name) == "ValidationException"
    group.client.put_log_group_deletion_protection(**{**protection, "deletionProtectionEnabled": False})
    group.client.delete_log_group(logGroupName=group.name)
    assert code(group.put, events=[(now(), "x")]) == "ResourceNotFoundException"
    assert code(group.client.delete_log_group, logGroupName=group.name) == "ResourceNotFoundException"


def test_policies_name_groups_with_a_star_behind(group: Group, account: Account) -> None:
    arn = group.shown()["arn"]
    assert arn == f"arn:aws:logs:us-east-1:{account.id}:log-group:{group.name}:*"
    allow = {"Effect": "Allow", "Action": ["logs:PutLogEvents", "logs:GetLogEvents", "logs:ListTagsForResource"]}
    within = user_with_key(account, "within", {**allow, "Resource": arn}).client("logs")
    bare = user_with_key(account, "bare", {**allow, "Resource": arn.removesuffix(":*")}).client("logs")
    Group(within, group.name).put([(now(), "x")])
    assert messages(Group(within, group.name).get()) == ["x"]
    assert code(Group(bare, group.name).get) == "AccessDeniedException"
    assert code(Group(within, "other").get) == "AccessDeniedException"
    named = {"resourceArn": arn.removesuffix(":*")}
    assert bare.list_tags_for_resource(**named)["tags"] == {}
    assert code(within.list_tags_for_resource, **named) == "AccessDeniedException"


def test_a_group_has_one_arn(group: Group, account: Account) -> None:
    """A Deny on a group's ARN holds however a request spells the ARN, and a list shows no group for others' ARNs."""
    arn = group.shown()["logGroupArn"]
    denied = {"Effect": "Deny", "Action": "logs:*", "Resource": [arn, f"{arn}:*"]}
    user = user_with_key(account, "user", {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}, denied)
    logs = user.client("logs")
    other = arn.replace(account.id, "999999999999")
    wrong = [arn.replace("arn:aws:", "arn:aws-cn:"), arn.replace("us-east-1", "us-west-9"), other]
    for identifier in [arn, *wrong]:
        expected = "AccessDeniedException" if identifier in (arn, other) else "ResourceNotFoundException"
        assert code(logs.get_log_events, logGroupIdentifier=identifier, logStreamName="s") == expected
        assert code(logs.filter_log_events, logGroupIdentifier=identifier) == expected
        assert code(logs.tag_resource, resourceArn=identifier, tags={"a": "b"}) == expected
    assert group.client.describe_log_groups(logGroupIdentifiers=wrong)["logGroups"] == []
    [shown] = group.client.describe_log_groups(logGroupIdentifiers=[arn])["logGroups"]
    assert shown["logGroupName"] == group.name


@pytest.mark.parametrize("action", ["logs:TagResource", "logs:TagLogGroup"])
def test_a_group_with_tags_needs_a_permission_more(account: Account, action: str) -> None:
    plain = {"Effect": "Allow", "Action": "logs:CreateLogGroup", "Resource": "*"}
    without = user_with_key(account, "without", plain).client("logs")
    without.create_log_group(logGroupName="a")
    assert code(without.create_log_group, logGroupName="b", tags={"k": "v"}) == "AccessDeniedException"
    user_with_key(account, "with", {**plain, "Action": ["logs:CreateLogGroup", action]}).client(
        "logs"
    ).create_log_group(logGroupName="b", tags={"k": "v"})


def test_another_account_has_groups_of_its_own(group: Group, cloud: Cloud) -> None:
    other = Group(cloud.new_account().client("logs"), group.name)
    assert code(other.put, events=[(now(), "x")]) == "ResourceNotFoundException"
    arn = {"logGroupIdentifier": group.shown()["logGroupArn"], "logStreamName": "s"}
    assert messages(group.client.get_log_events(**arn)) == []
    assert code(other.client.get_log_events, **arn) == "AccessDeniedException"


def test_tags_by_arn_and_by_name(group: Group) -> None:
    arn = {"resourceArn": group.shown()["logGroupArn"]}
    group.client.tag_resource(**arn, tags={"a": "1", "b": "2"})
    group.client.tag_log_group(logGroupName=group.name, tags={"a": "3"})
    group.client.untag_resource(**arn, tagKeys=["b"])
    assert group.client.list_tags_for_resource(**arn)["tags"] == {"a": "3"}
    assert group.client.list_tags_log_group(logGroupName=group.name)["tags"] == {"a": "3"}
    many = {f"k{n}": "" for n in range(50)}
    assert code(group.client.tag_resource, **arn, tags=many) == "TooManyTagsException"


def test_resource_policies_are_kept_by_name(account: Account) -> None:
    logs, statement = account.client("logs"), {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}

    def put(name: str, principal: Any) -> Any:
        document = json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Principal": principal}]})
        return logs.put_resource_policy(policyName=name, policyDocument=document)

    service = {"Service": "route53.amazonaws.com"}
    for number in range(10):
        put(f"p{number}", service)
    assert code(put, name="more", principal=service) == "LimitExceededException"
    put("p3", service)
    assert len(logs.describe_resource_policies()["resourcePolicies"]) == 10
    nobody = {"AWS": f"arn:aws:iam::{account.id}:user/nobody"}
    assert code(put, name="p3", principal=nobody) == "InvalidParameterException"
    logs.delete_resource_policy(policyName="p3")
    assert code(logs.delete_resource_policy, policyName="p3") == "ResourceNotFoundException"
