"""Terraform's AWS provider over mail of both versions of SES: applied, kept, destroyed."""

from __future__ import annotations

from pathlib import Path

from tests.cloud import Account
from tests.e2e.test_terraform import mirror
from tests.e2e.test_terraform_school import terraform_of

__all__ = ["mirror"]


def test_mail_is_applied_kept_and_destroyed(account: Account, mirror: Path, tmp_path: Path) -> None:
    terraform = terraform_of(account, mirror, tmp_path, "mail.tf", name=f"tf-{account.id}.test")
    terraform("apply", "-auto-approve")
    terraform("plan", "-detailed-exitcode")  # 2 when anything is left to change
    assert len(account.client("sesv2").list_email_identities()["EmailIdentities"]) == 3
    terraform("destroy", "-auto-approve")
    assert account.client("ses").list_identities()["Identities"] == []
