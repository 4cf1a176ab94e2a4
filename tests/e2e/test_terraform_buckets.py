"""Terraform's AWS provider over S3, every sub-resource of a bucket: it applies, finds nothing left, and destroys."""

from __future__ import annotations

import uuid
from pathlib import Path

from tests.cloud import Account
from tests.e2e.test_terraform import mirror
from tests.e2e.test_terraform_identities import over

__all__ = ["mirror"]
CONFIGURATION = Path(__file__).parent / "terraform" / "buckets.tf"


def test_buckets_are_applied_kept_and_destroyed(account: Account, mirror: Path, tmp_path: Path) -> None:
    name = f"terraform-{uuid.uuid4().hex[:12]}"
    terraform = over(account, mirror, tmp_path, CONFIGURATION, name=name)
    terraform("init")
    terraform("apply", "-auto-approve")
    terraform("plan", "-detailed-exitcode")  # 2 when anything is left to change
    s3 = account.client("s3")
    assert s3.get_object(Bucket=f"{name}-log", Key="b/hello.txt")["Body"].read() == b"hello"
    rules = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    assert [rule["ID"] for rule in rules] == ["old"]
    terraform("destroy", "-auto-approve")
    assert s3.list_buckets()["Buckets"] == []
