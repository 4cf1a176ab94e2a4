"""What AWS accepts and refuses of policy documents, with its words. The expectations are recorded answers of AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from controlplane.access.policy.grammar import MalformedPolicy, validate_identity, validate_trust

BUCKET = "arn:aws:s3:::example"
SYNTAX = "Syntax errors in policy."
LEGACY = "The policy failed legacy parsing"
VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
VERSION = "Policy document must be version 2012-10-17 or greater."
ACTIONS = "Policy statement must contain actions."
RESOURCES = "Policy statement must contain resources."


def one(**elements: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": elements}


def listing(**more: Any) -> dict[str, Any]:
    return one(**{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": BUCKET, **more})


REFUSED = [
    ("no json", SYNTAX),
    ("", SYNTAX),
    ("[" * 100_000, SYNTAX),
    ('{"Version":"2012-10-17","Version":"2012-10-17","Statement":{}}', SYNTAX),
    ("null", SYNTAX),
    ("[]", SYNTAX),
    ({"Statement": listing()["Statement"]}, VERSION),
    ({**listing(), "Version": "2008-10-17"}, VERSION),
    ({**listing(), "Version": "2013-10-17"}, SYNTAX),
    ({"Version": "2012-10-17"}, SYNTAX),
    ({"Version": "2012-10-17", "Statement": ["x"]}, SYNTAX),
    ({"Version": "2012-10-17", "Statement": []}, SYNTAX),
    ({**listing(), "More": "x"}, SYNTAX),
    (listing(More="x"), SYNTAX),
    ({**listing(), "Id": ["x"]}, SYNTAX),
    (listing(Effect="sometimes"), SYNTAX),
    (listing(Effect="denY"), LEGACY),
    (listing(Action="invalid"), VENDOR),
    (one(Effect="Allow", NotAction="", Resource=BUCKET), VENDOR),
    (listing(Action="a a:ListBucket"), "Vendor a a is not valid"),
    (listing(Action="s*:ListBucket"), "Vendor s* is not valid"),
    (listing(Action="s3:List:Bucket"), "Actions/Condition can contain only one colon."),
    (listing(Resource="invalid resource"), 'Resource invalid resource must be in ARN format or "*".'),
    (listing(Resource=""), 'Resource  must be in ARN format or "*".'),
    (listing(Resource=["adf"]), 'Resource adf must be in ARN format or "*".'),
    (listing(Action="s:3:x", Resource="sdf"), 'Resource sdf must be in ARN format or "*".'),
    (listing(Resource="a:bsdf"), 'Partition "bsdf" is not valid for resource "arn:bsdf:*:*:*:*".'),
    (listing(Resource="a:b:c"), 'Partition "b" is not valid for resource "arn:b:c:*:*:*".'),
    (listing(Resource="a:b:c:d:e:f:g:h"), 'Partition "b" is not valid for resource "arn:b:c:d:e:f:g:h".'),
    (listing(Resource="aws:s3:::x"), 'Partition "s3" is not valid for resource "arn:s3:::x:*".'),
    (
        listing(Resource=["arn:error:s3:::x", "arn:error:s3::x"]),
        'Partition "error" is not valid for resource "arn:error:s3:::x".',
    ),
    (one(Effect="Allow", Action="s3:ListBucket"), RESOURCES),
    (listing(Resource=[]), RESOURCES),
    (one(Effect="Allow", Action="invalid"), RESOURCES),
    (one(Effect="Allow", Resource=BUCKET), ACTIONS),
    (one(Action="s3:ListBucket", Resource=BUCKET), SYNTAX),
    (one(Effect="Allow"), ACTIONS),
    (listing(Action=[]), ACTIONS),
    (
        listing(Resource="arn:aws:iam:::x"),
        'IAM resource path must either be "*", root, or start with user/, federated-user/, role/, group/, '
        "instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, "
        "access-report/.",
    ),
    (
        listing(Resource="arn:aws:iam:us-east-1::x"),
        "IAM resource arn:aws:iam:us-east-1::x cannot contain region information.",
    ),
    (
        listing(Resource="arn:aws:s3:us-east-1::x"),
        "Resource arn:aws:s3:us-east-1::x can not contain region information.",
    ),
    (listing(Resource="arn:aws:s3::x"), LEGACY),
    (one(Effect="Allow", Resource="arn:aws:s3::x"), LEGACY),
    (listing(Resource="arn:aws::fdsasf"), LEGACY),
    (listing(Resource="arn:aws::::x"), LEGACY),
    (listing(Resource="arn:aws"), "Resource vendor must be fully qualified and cannot contain regexes."),
    (listing(Resource={"a": BUCKET}), SYNTAX),
    (listing(Resource=["adfdf", {}]), SYNTAX),
    (listing(NotResource=[]), SYNTAX),
    (listing(NotAction=[]), SYNTAX),
    (listing(Action=[[]]), SYNTAX),
    (listing(Action={}), SYNTAX),
    (listing(Condition=[]), SYNTAX),
    (listing(Condition="a"), SYNTAX),
    (listing(Condition={"a": "b"}), SYNTAX),
    (listing(Condition={"DateGreaterThan": "b"}), SYNTAX),
    (listing(Condition={"DateGreaterThan": {"a": {}}}), SYNTAX),
    (listing(Condition={"x": {"a": "1"}}), SYNTAX),
    (listing(Condition={"ForAnyValue::StringEqualsIfExists": {"a": "b"}}), SYNTAX),
    (listing(Condition={"NullIfExists": {"a": "true"}}), SYNTAX),
    (listing(Condition={"DateGreaterThan": {"a": "sdfdsf"}}), LEGACY),
    (listing(Condition={"DateLessThanEquals": {"a": "234-13"}}), LEGACY),
    (listing(Condition={"DateLessThan": {"a": "9223372036854775808"}}), LEGACY),
    (listing(Condition={"DateLessThanEquals": {"a": "2016-12-13t2:00:00.593194+1"}}), LEGACY),
    (listing(Condition={"DateLessThanEquals": {"a": "2016-12-13t2:00:00.1999999999+10:59"}}), LEGACY),
    (listing(Sid={}), SYNTAX),
    (
        {
            "Version": "2012-10-17",
            "Statement": [{**listing()["Statement"], "Sid": "x"}, {"Sid": "x", "Effect": "Allow"}],
        },
        "Statement IDs (SID) in a single policy must be unique.",
    ),
    (
        listing(Sid="not alphanumeric"),
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression "
        "[0-9A-Za-z]*",
    ),
    (listing(Principal="*"), "Policy document should not specify a principal."),
]

ACCEPTED = [
    listing(),
    listing(Resource="arn:aws:s3:us-west-2:123456789012:accesspoint/point"),
    listing(Condition={"DateLessThanEquals": {"a": "2016-12-13t2:00:00.593194+23"}}),
    listing(Resource=[BUCKET, "*"]),
    listing(Action="*"),
    listing(Action="iam: asdf safdsf af "),
    listing(Action="s3-s:ListBucket"),
    listing(Action="s3.s:ListBucket"),
    listing(Resource="arn:aws:iam:::user/example"),
    listing(Resource="arn:aws:iam::*:*"),
    listing(Resource="arn:aws:fdsasf"),
    listing(Resource="arn:aws:ec2:us-east-1::x"),
    listing(Resource="arn:aws:iam::*:user/${aws:username}"),
    listing(Condition={}),
    listing(Condition={"a": {}}),
    listing(Condition={"DateGreaterThan": {"a": []}}),
    listing(Condition={"DateGreaterThan": {"a": "01T"}}),
    listing(Condition={"DateLessThan": {"a": "-292275054"}}),
    listing(Condition={"DateLessThanEquals": {"a": "2016-12-13T21:20:37.593194+00:00"}}),
    listing(Condition={"ForAllValues:StringEquals": {"aws:TagKeys": "Department"}}),
    listing(Condition={"ForAnyValue:StringEqualsIfExists": {"a": "b"}}),
    listing(Condition={"Bool": {"aws:SecureTransport": True}}),
    one(Effect="Deny", NotAction="s3:ListBucket", NotResource="*"),
    {**listing(), "Id": "x"},
]


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)


@pytest.mark.parametrize(("document", "message"), REFUSED)
def test_refused(document: Any, message: str) -> None:
    with pytest.raises(MalformedPolicy) as caught:
        validate_identity(_text(document))
    assert str(caught.value) == message


@pytest.mark.parametrize("document", ACCEPTED)
def test_accepted(document: Any) -> None:
    assert validate_identity(json.dumps(document)) == document


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"Resource": "*"}, "Has prohibited field Resource"),
        ({"Action": "s3:GetObject"}, "AssumeRole policy may only specify STS AssumeRole actions."),
        ({"Principal": {}}, SYNTAX),
        ({"Principal": {"AWS": ""}}, SYNTAX),
        ({"Principal": {"AWS": ["*", ""]}}, SYNTAX),
        ({"Principal": {"Nobody": "x"}}, SYNTAX),
    ],
)
def test_trust_refused(elements: dict[str, Any], message: str) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole", **elements}
    with pytest.raises(MalformedPolicy) as caught:
        validate_trust(json.dumps(one(**statement)))
    assert str(caught.value) == message


def test_trust_without_principal() -> None:
    with pytest.raises(MalformedPolicy, match="Missing required field Principal"):
        validate_trust(json.dumps(one(Effect="Allow", Action="sts:AssumeRole")))


def test_trust_that_is_not_json() -> None:
    with pytest.raises(MalformedPolicy, match="This policy contains invalid Json"):
        validate_trust("{")
