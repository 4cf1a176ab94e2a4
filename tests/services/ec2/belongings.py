"""What an account may have in EC2, for the test that others cannot reach it."""

from __future__ import annotations

from tests.cloud import Account
from tests.services.ec2.test_isolation import things_of


def make(account: Account) -> None:
    """One thing of every kind."""
    ec2 = account.client("ec2")
    made = things_of(ec2)
    ec2.create_tags(Resources=[made["vpc"]], Tags=[{"Key": f"key-{made['vpc']}", "Value": f"value-{made['vpc']}"}])
