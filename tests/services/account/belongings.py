"""What an account may have here, for the test that others cannot reach it."""

from __future__ import annotations

from tests.cloud import Account
from tests.services.account.test_account import BILLING, CONTACT


def make(account: Account) -> None:
    """Both kinds of contacts."""
    client = account.client("account")
    client.put_contact_information(ContactInformation=CONTACT)
    client.put_alternate_contact(AlternateContactType="BILLING", **BILLING)
