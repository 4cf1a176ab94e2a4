"""Terraform's AWS provider over KMS: it applies, finds nothing left to change, and destroys."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.cloud import Account
from tests.e2e.test_terraform import mirror
from tests.e2e.test_terraform_identities import over

__all__ = ["mirror"]
CONFIGURATION = Path(__file__).parent / "terraform" / "keys.tf"


def test_keys_are_applied_kept_and_destroyed(account: Account, mirror: Path, tmp_path: Path) -> None:
    material = base64.b64encode(secrets.token_bytes(32)).decode()
    expires = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}"
    terraform = over(account, mirror, tmp_path, CONFIGURATION, material=material, expires=expires)
    terraform("init")
    terraform("apply", "-auto-approve")
    terraform("plan", "-detailed-exitcode")  # 2 when anything is left to change
    kms = account.client("kms")
    (data,) = [alias for alias in kms.list_aliases()["Aliases"] if alias["AliasName"] == "alias/data"]
    sealed = kms.encrypt(KeyId="alias/data", Plaintext=b"word", EncryptionContext={"team": "red"})
    assert sealed["KeyId"].endswith(data["TargetKeyId"])
    keys = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in kms.list_keys()["Keys"]]
    assert {key["KeyState"] for key in keys} == {"Enabled", "Disabled"}
    assert {key["Origin"] for key in keys} == {"AWS_KMS", "EXTERNAL"}
    terraform("destroy", "-auto-approve")
    keys = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in kms.list_keys()["Keys"]]
    assert {key["KeyState"] for key in keys} == {"PendingDeletion"}
    assert kms.list_aliases()["Aliases"] == []
