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


def over(account: Account, mirror: Path, folder: Path, configuration: Path, **variables: str) -> Terraform:
    """Terraform in a folder with a configuration, as an account's root user."""
    shutil.copy(configuration, folder)
    (folder / "cli.rc").write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\n')
    return Terraform(
        folder,
        {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TF_CLI_CONFIG_FILE": str(folder / "cli.rc"),
            "CHECKPOINT_DISABLE": "1",
            "AWS_ACCESS_KEY_ID": account.access_key_id,
            "AWS_SECRET_ACCESS_KEY": account.secret_access_key,
            "TF_VAR_endpoint": account.endpoint,
            **{f"TF_VAR_{name}": value for name, value in variables.items()},
        },
    )


def test_identities_are_applied_kept_and_destroyed(account: Account, mirror: Path, tmp_path: Path) -> None:
    authority = certify("authority", ca=True)
    terraform = over(
        account,
        mirror,
        tmp_path,
        CONFIGURATION,
        alias=f"school-{account.id}",
        metadata=metadata(authority),
        certificate=authority.pem,
        private_key=authority.key_pem,
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
