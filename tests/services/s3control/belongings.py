"""What an account may have in S3 Control, for the test that others cannot reach it."""

from __future__ import annotations

from tests.cloud import Account


def make(account: Account) -> None:
    """A block of public access."""
    block = {"BlockPublicAcls": True, "IgnorePublicAcls": True}
    account.client("s3control").put_public_access_block(AccountId=account.id, PublicAccessBlockConfiguration=block)
