"""Terraform's AWS provider over IAM and Roles Anywhere: it applies, finds nothing left to change, and destroys."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.cloud import Account
from tests.e2e.test_terraform import Terraform, mirror
from tests.services.iam.certificates import certify
from tests.services.sts.test_saml import metadata

__all__ = ["mirror"]
CONFIGURATION = Path(__file__).parent / "terraform" / "identities.tf"


def test_identities_are_applied_kept_and_destroyed(account: Account, mirror: Path, tmp_path: Path) -> None:
    shutil.copy(CONFIGURATION, tmp_path)
    (tmp_path / "cli.rc").write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\n')
    authority = certify("authority", ca=True)
    terraform = Terraform(
        tmp_path,
        {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "TF_CLI_CONFIG_FILE": str(tmp_path / "cli.rc"),
            "CHECKPOINT_DISABLE": "1",
            "AWS_ACCESS_KEY_ID": account.access_key_id,
            "AWS_SECRET_ACCESS_KEY": account.secret_access_key,
            "TF_VAR_endpoint": account.endpoint,
            "TF_VAR_alias": f"school-{account.id}",
            "TF_VAR_metadata": metadata(authority),
            "TF_VAR_certificate": authority.pem,
            "TF_VAR_private_key": authority.key_pem,
        },
    )
    terraform("init")
    terraform("apply", "-auto-approve")
    terraform("plan", "-detailed-exitcode")  # 2 when anything is left to change
    iam = account.client("iam")
    role = iam.get_role(RoleName="worker")["Role"]
    [first, _] = role["AssumeRolePolicyDocument"]["Statement"]
    assert f"arn:aws:iam::{account.id}:user/staff/ann" in first["Principal"]["AWS"]
    terraform("destroy", "-auto-approve")
    assert iam.list_users()["Users"] == iam.list_roles()["Roles"] == []
    assert iam.list_account_aliases()["AccountAliases"] == []
