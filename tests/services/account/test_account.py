"""The Account API through boto3."""

from __future__ import annotations

from typing import Any

from tests.cloud import Account, Cloud
from tests.services.organizations.conftest import Organization
from tests.services.organizations.test_organizations import code

CONTACT = {
    "FullName": "Ada Lovelace",
    "AddressLine1": "1 Street",
    "City": "London",
    "PostalCode": "W1",
    "CountryCode": "GB",
    "PhoneNumber": "+44123456789",
}
BILLING = {"Name": "Bill", "Title": "Cashier", "EmailAddress": "bill@example.com", "PhoneNumber": "+1555"}


def test_contacts_are_kept(account: Account) -> None:
    client = account.client("account")
    assert code(client.get_contact_information) == "ResourceNotFoundException"
    client.put_contact_information(ContactInformation=CONTACT)
    assert client.get_contact_information()["ContactInformation"] == CONTACT
    kind = {"AlternateContactType": "BILLING"}
    assert code(lambda: client.get_alternate_contact(**kind)) == "ResourceNotFoundException"
    client.put_alternate_contact(**kind, **BILLING)
    assert client.get_alternate_contact(**kind)["AlternateContact"] == {**BILLING, **kind}
    client.delete_alternate_contact(**kind)
    assert code(lambda: client.delete_alternate_contact(**kind)) == "ResourceNotFoundException"


def test_regions_are_listed_and_defaults_stay(account: Account) -> None:
    client = account.client("account")
    regions = client.list_regions()["Regions"]
    assert {"RegionName": "us-east-1", "RegionOptStatus": "ENABLED_BY_DEFAULT"} in regions
    first = client.list_regions(MaxResults=1)
    rest = client.list_regions(NextToken=first["NextToken"])
    assert first["Regions"] + rest["Regions"] == regions
    assert code(lambda: client.disable_region(RegionName="us-east-1")) == "ValidationException"
    assert code(lambda: client.get_region_opt_status(RegionName="mars-1")) == "ValidationException"


def test_the_management_account_looks_after_its_members(cloud: Cloud) -> None:
    organization = Organization(cloud.new_account())
    student, stranger = organization.make_account(), cloud.new_account()
    manager: Any = organization.management.client("account")
    kind = {"AlternateContactType": "SECURITY"}
    manager.put_alternate_contact(**kind, **BILLING, AccountId=student.id)
    assert student.client("account").get_alternate_contact(**kind)["AlternateContact"]["Name"] == "Bill"
    manager.put_account_name(AccountName=f"renamed-{student.id}", AccountId=student.id)
    assert student.client("account").get_account_information()["AccountName"] == f"renamed-{student.id}"
    assert "@" in manager.get_primary_email(AccountId=student.id)["PrimaryEmail"]
    for client in (stranger.client("account"), student.client("account")):
        for other in (organization.management.id, student.id):
            call = client.get_account_information
            assert code(lambda call=call, other=other: call(AccountId=other)) == "AccessDeniedException"
