"""What an account may have in SES v2, for the test that others cannot reach it."""

from __future__ import annotations

import uuid

from tests.cloud import Account


def make(account: Account) -> None:
    """An identity, a configuration set, a template, an address on the suppression list."""
    ses, name = account.client("sesv2"), f"own-{uuid.uuid4().hex[:12]}"
    ses.create_configuration_set(ConfigurationSetName=name)
    ses.create_email_identity(EmailIdentity=f"{name}.example.com", Tags=[{"Key": name, "Value": name}])
    ses.create_email_template(TemplateName=name, TemplateContent={"Subject": name, "Text": name})
    ses.put_suppressed_destination(EmailAddress=f"{name}@example.com", Reason="BOUNCE")
