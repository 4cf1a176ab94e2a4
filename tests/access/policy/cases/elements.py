"""Action, Resource, their Not forms, wildcards and policy variables."""

from __future__ import annotations

from typing import Any

from tests.access.policy.cases import (
    ACCOUNT,
    ALLOW,
    BUCKET,
    NO_IDENTITY,
    OBJECT,
    Case,
    allow,
    deny,
    document,
    permit,
)

EXPLICIT = "explicit deny in an identity-based policy"

# (Action element, action asked for, does it cover it)
ACTIONS: list[tuple[Any, str, bool]] = [
    ("s3:GetObject", "s3:GetObject", True),
    ("s3:getobject", "s3:GetObject", True),
    ("S3:GETOBJECT", "s3:GetObject", True),
    ("s3:GetObjectAcl", "s3:GetObject", False),
    ("s3:GetObj", "s3:GetObject", False),
    ("s3:Get*", "s3:GetObject", True),
    ("s3:*Object", "s3:GetObject", True),
    ("s3:*", "s3:GetObject", True),
    ("*", "s3:GetObject", True),
    ("s3:Put*", "s3:GetObject", False),
    ("s3:G?tObject", "s3:GetObject", True),
    ("s3:Get?Object", "s3:GetObject", False),
    ("*:GetObject", "s3:GetObject", True),
    ("s?:GetObject", "s3:GetObject", True),
    ("sqs:*", "s3:GetObject", False),
    (["sqs:*", "s3:GetObject"], "s3:GetObject", True),
    ("s3:*Get*Object*", "s3:GetObject", True),
    ("s3:*Object*Get*", "s3:GetObject", False),
]
# (NotAction element, action asked for, does the statement apply)
NOT_ACTIONS: list[tuple[Any, str, bool]] = [
    ("s3:PutObject", "s3:GetObject", True),
    ("s3:GetObject", "s3:GetObject", False),
    ("s3:*", "s3:GetObject", False),
    (["sqs:*", "iam:*"], "s3:GetObject", True),
    (["sqs:*", "s3:get*"], "s3:GetObject", False),
    ("*", "s3:GetObject", False),
]
# (Resource element, resource asked for, does it match)
RESOURCES: list[tuple[Any, str, bool]] = [
    (OBJECT, OBJECT, True),
    ("*", OBJECT, True),
    (f"{BUCKET}/*", OBJECT, True),
    (f"{BUCKET}/b/*", OBJECT, False),
    (f"{BUCKET}/a/???", OBJECT, True),
    (f"{BUCKET}/a/??", OBJECT, False),
    (f"{BUCKET}/*/key", OBJECT, True),
    (f"{BUCKET}*", OBJECT, True),
    (f"{BUCKET}/a", OBJECT, False),
    ("arn:aws:s3:::*", OBJECT, True),
    ("arn:aws:s3:::b*t/*y", OBJECT, True),
    ("arn:aws:s3:::b*t/*x", OBJECT, False),
    ("arn:aws:sqs:::bucket/a/key", OBJECT, False),
    ("arn:*:s3:::bucket/a/key", OBJECT, True),
    ("arn:aws:s3:*:*:bucket/a/key", OBJECT, True),
    ("arn:aws:s3:us-east-1::bucket/a/key", OBJECT, False),
    ("arn:aws:s3", OBJECT, True),
    ("arn:aws:sqs", OBJECT, False),
    ([f"{BUCKET}/x", f"{BUCKET}/a/*"], OBJECT, True),
    ([f"{BUCKET}/x", f"{BUCKET}/y"], OBJECT, False),
    (f"{BUCKET}/*.txt", f"{BUCKET}/notes.txt", True),
    (f"{BUCKET}/*.txt", f"{BUCKET}/notesxtxt", False),
    (f"{BUCKET}/a+b(c)[d]", f"{BUCKET}/a+b(c)[d]", True),
    (f"{BUCKET}/*:*", f"{BUCKET}/x:y:z", True),
    (f"{BUCKET}/a*z", f"{BUCKET}/a:b:z", True),
]
# (Resource pattern, resource, match): other services' shapes, with the action that has them
TYPED: list[tuple[str, str, str, bool]] = [
    ("ec2:StartInstances", "arn:aws:ec2:*:*:instance/*", f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1", True),
    ("ec2:StartInstances", "arn:aws:ec2:eu-*:*:instance/*", f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1", False),
    ("ec2:StartInstances", f"arn:aws:ec2:*:{ACCOUNT}:*", f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1", True),
    ("ec2:StartInstances", "arn:aws:ec2:*:*:volume/*", f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1", False),
    ("iam:GetUser", "arn:aws:iam::*:user/*", f"arn:aws:iam::{ACCOUNT}:user/team/ann", True),
    ("iam:GetUser", "arn:aws:iam::*:user/team/*", f"arn:aws:iam::{ACCOUNT}:user/team/ann", True),
    ("iam:GetUser", "arn:aws:iam::*:user/ann", f"arn:aws:iam::{ACCOUNT}:user/team/ann", False),
    ("sqs:SendMessage", "arn:aws:sqs:*:*:jobs-*", f"arn:aws:sqs:us-east-1:{ACCOUNT}:jobs-1", True),
    ("sqs:SendMessage", "arn:aws:sqs:*:*:jobs-*", f"arn:aws:sqs:us-east-1:{ACCOUNT}:job", False),
    ("sns:Publish", "arn:aws:sns:*:*:*", f"arn:aws:sns:us-east-1:{ACCOUNT}:news", True),
    (
        "lambda:InvokeFunction",
        "arn:aws:lambda:*:*:function:f*",
        f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:fun",
        True,
    ),
    (
        "lambda:InvokeFunction",
        "arn:aws:lambda:*:*:function:g*",
        f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:fun",
        False,
    ),
    ("logs:CreateLogStream", "arn:aws:logs:*:*:log-group:*", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/x:y", True),
    ("dynamodb:GetItem", "arn:aws:dynamodb:*:*:table/T", f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/T", True),
]
# (NotResource element, resource, does the statement apply)
NOT_RESOURCES: list[tuple[Any, str, bool]] = [
    (f"{BUCKET}/x", OBJECT, True),
    (OBJECT, OBJECT, False),
    (f"{BUCKET}/*", OBJECT, False),
    ([f"{BUCKET}/x/*", f"{BUCKET}/a/*"], OBJECT, False),
    ("arn:aws:sqs:*:*:*", OBJECT, True),
]
NAME, TAG = "aws:username", "aws:PrincipalTag/team"
# (resource pattern, context, resource, match)
VARIABLES: list[tuple[str, dict[str, Any], str, bool]] = [
    (f"{BUCKET}/${{aws:username}}/*", {NAME: "ann"}, f"{BUCKET}/ann/x", True),
    (f"{BUCKET}/${{aws:username}}/*", {NAME: "ann"}, f"{BUCKET}/bob/x", False),
    (f"{BUCKET}/${{AWS:UserName}}/*", {NAME: "ann"}, f"{BUCKET}/ann/x", True),
    (f"{BUCKET}/${{aws:username}}/*", {}, f"{BUCKET}/ann/x", False),
    (f"{BUCKET}/${{aws:username}}/*", {}, f"{BUCKET}/${{aws:username}}/x", False),
    (f"{BUCKET}/${{aws:username, 'nobody'}}/*", {}, f"{BUCKET}/nobody/x", True),
    (f"{BUCKET}/${{aws:username, 'nobody'}}/*", {NAME: "ann"}, f"{BUCKET}/ann/x", True),
    (f"{BUCKET}/${{aws:username, 'nobody'}}/*", {NAME: "ann"}, f"{BUCKET}/nobody/x", False),
    (f"{BUCKET}/${{aws:PrincipalTag/team}}/${{aws:username}}", {NAME: "ann", TAG: "red"}, f"{BUCKET}/red/ann", True),
    (f"{BUCKET}/${{aws:PrincipalTag/team}}/${{aws:username}}", {NAME: "ann"}, f"{BUCKET}/red/ann", False),
    (f"{BUCKET}/${{*}}", {}, f"{BUCKET}/*", True),
    (f"{BUCKET}/${{*}}", {}, f"{BUCKET}/x", False),
    (f"{BUCKET}/a${{?}}", {}, f"{BUCKET}/a?", True),
    (f"{BUCKET}/a${{?}}", {}, f"{BUCKET}/ab", False),
    (f"{BUCKET}/${{$}}x", {}, f"{BUCKET}/$x", True),
    (f"{BUCKET}/${{aws:PrincipalTag/team}}", {TAG: "*"}, f"{BUCKET}/x", False),
    (f"{BUCKET}/${{aws:PrincipalTag/team}}", {TAG: "a.c"}, f"{BUCKET}/abc", False),
    (f"{BUCKET}/${{aws:TagKeys}}", {"aws:TagKeys": ["a", "b"]}, f"{BUCKET}/a", False),
]
# (operator, value with a variable, key asked, context, holds)
VALUES: list[tuple[str, str, str, dict[str, Any], bool]] = [
    ("StringEquals", "${aws:username}", TAG, {NAME: "ann", TAG: "ann"}, True),
    ("StringEquals", "${aws:username}", TAG, {NAME: "ann", TAG: "bob"}, False),
    ("StringEquals", "${aws:username}", TAG, {TAG: "bob"}, False),
    ("StringEquals", "${aws:username, 'x'}", TAG, {TAG: "x"}, True),
    ("StringLike", "${aws:username}-*", TAG, {NAME: "ann", TAG: "ann-1"}, True),
    ("StringLike", "${aws:PrincipalTag/b}", TAG, {"aws:PrincipalTag/b": "*", TAG: "x"}, False),
    ("StringNotEquals", "${aws:username}", TAG, {NAME: "ann", TAG: "bob"}, True),
    ("StringNotEquals", "${aws:username}", TAG, {NAME: "ann", TAG: "ann"}, False),
    ("ArnLike", "arn:aws:iam::*:role/${aws:username}", "aws:SourceArn",
     {NAME: "ann", "aws:SourceArn": "arn:aws:iam::1:role/ann"}, True),
    ("ForAnyValue:StringEquals", "${aws:username}", "aws:TagKeys", {NAME: "ann", "aws:TagKeys": ["ann", "x"]}, True),
]  # fmt: skip


def _expect(holds: bool) -> str:
    return ALLOW if holds else NO_IDENTITY


CASES = [
    *(Case(f"Action {e} and {a}", _expect(h), [permit(e)], action=a) for e, a, h in ACTIONS),
    *(
        Case(
            f"NotAction {e} and {a}",
            _expect(h),
            [document({"Effect": "Allow", "NotAction": e, "Resource": "*"})],
            action=a,
        )
        for e, a, h in NOT_ACTIONS
    ),
    *(
        Case(
            f"denied NotAction {e} and {a}",
            EXPLICIT if h else ALLOW,
            [document(allow(), {"Effect": "Deny", "NotAction": e, "Resource": "*"})],
            action=a,
        )
        for e, a, h in NOT_ACTIONS
    ),
    *(Case(f"Resource {e} and {r}", _expect(h), [permit("s3:*", e)], resource=r) for e, r, h in RESOURCES),
    *(Case(f"{a} on {e} and {r}", _expect(h), [permit("*", e)], action=a, resource=r) for a, e, r, h in TYPED),
    *(
        Case(
            f"NotResource {e} and {r}",
            _expect(h),
            [document({"Effect": "Allow", "Action": "*", "NotResource": e})],
            resource=r,
        )
        for e, r, h in NOT_RESOURCES
    ),
    *(
        Case(
            f"denied NotResource {e} and {r}",
            EXPLICIT if h else ALLOW,
            [document(allow(), {"Effect": "Deny", "Action": "*", "NotResource": e})],
            resource=r,
        )
        for e, r, h in NOT_RESOURCES
    ),
    *(
        Case(
            f"{e} with {c} and {r}",
            _expect(h),
            [permit("*", e)],
            context=c,
            resource=r,
            oracle="?" not in r and "*" not in r,
        )
        for e, c, r, h in VARIABLES
    ),
    *(Case(f"{o} {v} of {c}", _expect(h), [permit(Condition={o: {k: v}})], context=c) for o, v, k, c, h in VALUES),
    Case(
        "variables are plain text in the old version",
        NO_IDENTITY,
        [document(allow("*", f"{BUCKET}/${{aws:username}}/*"), version="2008-10-17")],
        context={NAME: "ann"},
        resource=f"{BUCKET}/ann/x",
        oracle=False,
    ),
    Case(
        "deny with an unresolved variable in NotResource applies",
        EXPLICIT,
        [document(allow(), {"Effect": "Deny", "Action": "*", "NotResource": f"{BUCKET}/${{aws:username}}/*"})],
        oracle=False,
    ),
    Case("a Sid changes nothing", ALLOW, [document(allow(Sid="One"), deny("sqs:*", Sid="Two"))]),
    Case(
        "an action without resources needs a star",
        ALLOW,
        [permit("ec2:DescribeInstances")],
        "ec2:DescribeInstances",
        "*",
    ),
    Case(
        "an ARN does not cover an action without resources",
        NO_IDENTITY,
        [permit("ec2:DescribeInstances", "arn:aws:ec2:*:*:instance/*")],
        "ec2:DescribeInstances",
        "*",
    ),
]
