"""What an account may have in Organizations, for the test that others cannot reach it."""

from __future__ import annotations

import uuid

from tests.cloud import Account
from tests.services.iam.conftest import allow
from tests.services.organizations.conftest import Organization


def make(account: Account) -> None:
    """An organization with a unit, a member and a policy."""
    organization, name = Organization(account), f"own-{uuid.uuid4().hex[:12]}"
    organization.enable()
    organization.client.create_organizational_unit(ParentId=organization.root, Name=name)
    member = organization.make_account(name)
    organization.client.attach_policy(PolicyId=organization.policy(allow("*")), TargetId=member.id)
    organization.client.tag_resource(ResourceId=member.id, Tags=[{"Key": name, "Value": name}])
