"""AWS-managed policies that people attach every day, under their real ARNs."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from controlplane.core.context import Unit

ARN = "arn:aws:iam::aws:policy/"

_INSERT = """
INSERT INTO access_policies (arn, id, account_id, name, path, description, default_version, last_version)
VALUES ($1, $2, NULL, $3, $4, $5, 1, 1) ON CONFLICT DO NOTHING
"""
_VERSION = """
INSERT INTO access_policy_versions (policy_arn, version, document) VALUES ($1, 1, $2)
ON CONFLICT (policy_arn, version) DO UPDATE SET document = excluded.document
"""


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(*actions: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}


def _reading(*services: str) -> dict[str, Any]:
    verbs = ("Describe*", "Get*", "List*")
    return _allow(*(f"{service}:{verb}" for service in services for verb in verbs))


# name → (description, document). The rest comes with the facts about every service's actions.
POLICIES: dict[str, tuple[str, dict[str, Any]]] = {
    "AdministratorAccess": ("Provides full access to AWS services and resources.", _document(_allow("*"))),
    "PowerUserAccess": (
        "Provides full access to AWS services and resources, but does not allow management of Users and groups.",
        _document(
            {"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"},
            _allow(
                "account:GetAccountInformation",
                "account:GetPrimaryEmail",
                "account:ListRegions",
                "iam:CreateServiceLinkedRole",
                "iam:DeleteServiceLinkedRole",
                "iam:ListRoles",
                "organizations:DescribeOrganization",
            ),
        ),
    ),
    "IAMFullAccess": ("Provides full access to IAM via the AWS Management Console.", _document(_allow("iam:*"))),
    "IAMReadOnlyAccess": (
        "Provides read only access to IAM via the AWS Management Console.",
        _document(_allow("iam:GenerateCredentialReport", "iam:Get*", "iam:List*", "iam:Simulate*")),
    ),
    "AmazonEC2FullAccess": (
        "Provides full access to Amazon EC2 via the AWS Management Console.",
        _document(_allow("ec2:*"), _allow("elasticloadbalancing:*", "cloudwatch:*", "autoscaling:*")),
    ),
    "AmazonEC2ReadOnlyAccess": (
        "Provides read only access to Amazon EC2 via the AWS Management Console.",
        _document(_reading("ec2"), _allow("elasticloadbalancing:Describe*", "autoscaling:Describe*")),
    ),
    "AmazonS3FullAccess": (
        "Provides full access to all buckets via the AWS Management Console.",
        _document(_allow("s3:*", "s3-object-lambda:*")),
    ),
    "AmazonS3ReadOnlyAccess": (
        "Provides read only access to all buckets via the AWS Management Console.",
        _document(_reading("s3", "s3-object-lambda")),
    ),
}


async def ensure(db: Unit) -> None:
    """Put the policies into the database, as they stand here; idempotent."""
    for name, (description, document) in POLICIES.items():
        arn = ARN + name
        id = "ANPA" + hashlib.sha256(name.encode()).hexdigest().upper()[:17]
        await db.execute(_INSERT, arn, id, name, "/", description)
        await db.execute(_VERSION, arn, json.dumps(document, indent=4))
