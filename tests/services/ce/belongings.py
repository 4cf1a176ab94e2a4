"""Cost Explorer keeps nothing of its own: what an account used, it is told by what the account has elsewhere."""

from __future__ import annotations

from tests.cloud import Account


def make(account: Account) -> None:
    """Nothing."""
