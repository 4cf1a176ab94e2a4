"""Terraform's AWS provider over what a teacher sets up: applied, kept, destroyed."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from tests.cloud import Account, Cloud
from tests.e2e.test_terraform import Terraform, mirror

__all__ = ["mirror"]
FOLDER = Path(__file__).parent / "terraform"


def terraform_of(account: Account, mirror: Path, folder: Path, configuration: str, **variables: str) -> Terraform:
    """The command with a configuration, initialized."""
    shutil.copy(FOLDER / configuration, folder)
    (folder / "cli.rc").write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\n')
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TF_CLI_CONFIG_FILE": str(folder / "cli.rc"),
        "CHECKPOINT_DISABLE": "1",
        "AWS_ACCESS_KEY_ID": account.access_key_id,
        "AWS_SECRET_ACCESS_KEY": account.secret_access_key,
        "TF_VAR_endpoint": account.endpoint,
    }
    terraform = Terraform(folder, environment | {f"TF_VAR_{name}": value for name, value in variables.items()})
    terraform("init")
    return terraform


def test_a_school_is_applied_kept_and_destroyed(cloud: Cloud, account: Account, mirror: Path, tmp_path: Path) -> None:
    cloud.grant(account, "vpc/L-F678F1CE", 7)  # the owner has granted what Terraform wants
    terraform = terraform_of(account, mirror, tmp_path, "school.tf", email=f"{uuid.uuid4().hex}@example.com")
    terraform("apply", "-auto-approve")
    terraform("plan", "-detailed-exitcode")  # 2 when anything is left to change
    budgets = account.client("budgets")
    (action,) = budgets.describe_budget_actions_for_account(AccountId=account.id)["Actions"]
    assert action["Status"] == "STANDBY"
    terraform("destroy", "-auto-approve")
    assert budgets.describe_budgets(AccountId=account.id)["Budgets"] == []
