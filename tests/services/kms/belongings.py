"""What an account may have in KMS, for the test that others cannot reach it."""

from __future__ import annotations

import uuid

from tests.cloud import Account


def make(account: Account) -> None:
    """A key with an alias and a grant."""
    kms, name = account.client("kms"), f"own-{uuid.uuid4().hex[:12]}"
    key = kms.create_key(Description=name, Tags=[{"TagKey": name, "TagValue": name}])["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=key)
    kms.create_grant(KeyId=key, GranteePrincipal=f"arn:aws:iam::{account.id}:root", Operations=["Encrypt"])
