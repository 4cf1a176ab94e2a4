"""What an account may have in SES, for the test that others cannot reach it."""

from __future__ import annotations

import uuid

from tests.cloud import Account


def make(account: Account) -> None:
    """An address, a domain that signs, a configuration set, a template, a mail."""
    ses, name = account.client("ses"), f"own-{uuid.uuid4().hex[:12]}"
    ses.verify_email_identity(EmailAddress=f"{name}@example.com")
    ses.verify_domain_dkim(Domain=f"{name}.example.com")
    ses.create_configuration_set(ConfigurationSet={"Name": name})
    ses.create_receipt_rule_set(RuleSetName=name)
    header = {"AddHeaderAction": {"HeaderName": "X", "HeaderValue": name}}
    ses.create_receipt_rule(RuleSetName=name, Rule={"Name": name, "Enabled": True, "Actions": [header]})
    ses.create_template(Template={"TemplateName": name, "SubjectPart": name})
    message = {"Subject": {"Data": name}, "Body": {"Text": {"Data": name}}}
    ses.send_email(Source=f"{name}@example.com", Destination={"ToAddresses": ["a@example.com"]}, Message=message)
