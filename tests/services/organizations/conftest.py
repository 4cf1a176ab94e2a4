"""An organization and accounts in it."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest

from tests.cloud import Account, Cloud


class Organization:
    """The organization of a fresh management account."""

    def __init__(self, management: Account) -> None:
        self.management = management
        self.client = management.client("organizations")
        self.about = self.client.create_organization(FeatureSet="ALL")["Organization"]
        self.root = self.client.list_roots()["Roots"][0]["Id"]

    def make_account(self, name: str = "student") -> Account:
        """A member account, as the administrator that the management account's role makes of its caller."""
        id = self.made(self.client.create_account(Email=f"{uuid.uuid4().hex}@example.com", AccountName=name))[
            "AccountId"
        ]
        return self.enter(id)

    def made(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The end of a CreateAccount."""
        status = answer["CreateAccountStatus"]
        deadline = time.monotonic() + 20
        while status["State"] == "IN_PROGRESS" and time.monotonic() < deadline:
            time.sleep(0.1)
            status = self.client.describe_create_account_status(CreateAccountRequestId=status["Id"])[
                "CreateAccountStatus"
            ]
        return status

    def enter(self, id: str) -> Account:
        """An administrator with a key in a member account, made through OrganizationAccountAccessRole."""
        admin = self.administrator()
        role = f"arn:aws:iam::{id}:role/OrganizationAccountAccessRole"
        made = admin.client("sts").assume_role(RoleArn=role, RoleSessionName="setup")["Credentials"]
        session = Account(self.management.endpoint, id, made["AccessKeyId"], made["SecretAccessKey"])
        iam = session.client("iam", aws_session_token=made["SessionToken"])
        iam.create_user(UserName="admin")
        allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        iam.put_user_policy(UserName="admin", PolicyName="all", PolicyDocument=json.dumps(allowed))
        key = iam.create_access_key(UserName="admin")["AccessKey"]
        return Account(self.management.endpoint, id, key["AccessKeyId"], key["SecretAccessKey"])

    def administrator(self) -> Account:
        """A user of the management account who may do everything; root itself may assume no role."""
        iam = self.management.client("iam")
        name = f"admin-{uuid.uuid4().hex[:8]}"
        iam.create_user(UserName=name)
        iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return Account(self.management.endpoint, self.management.id, key["AccessKeyId"], key["SecretAccessKey"])

    def policy(self, *statements: dict[str, Any], type: str = "SERVICE_CONTROL_POLICY") -> str:
        """The id of a new policy."""
        content = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        made = self.client.create_policy(
            Content=content, Description="", Name=f"policy-{uuid.uuid4().hex[:8]}", Type=type
        )
        return str(made["Policy"]["PolicySummary"]["Id"])

    def enable(self, type: str = "SERVICE_CONTROL_POLICY") -> None:
        self.client.enable_policy_type(RootId=self.root, PolicyType=type)


@pytest.fixture
def organization(cloud: Cloud) -> Organization:
    """A fresh organization with all features."""
    return Organization(cloud.new_account())
