"""SES v2 through boto3: the same mailbox, identities and lists as version 1, told in its own words."""

from __future__ import annotations

import email
import json
import uuid
from email.policy import default
from typing import Any

import dkim
import dns.message
import dns.query
import pytest

from tests.cloud import Account, Cloud
from tests.services.organizations.test_organizations import code
from tests.services.route53.conftest import Zone
from tests.services.ses.test_mail import mailbox

pytestmark = pytest.mark.xdist_group("mail")
SIMULATOR = "simulator.amazonses.com"


@pytest.fixture
def ses(account: Account) -> Any:
    client = account.client("sesv2")
    client.create_email_identity(EmailIdentity="a@example.com")
    return client


def simple(subject: str = "hello", **more: Any) -> dict[str, Any]:
    return {"Simple": {"Subject": {"Data": subject}, "Body": {"Text": {"Data": "hi"}}, **more}}


class Topic:
    """A topic of SNS with a queue that hears it."""

    def __init__(self, account: Account) -> None:
        sns, self._sqs = account.client("sns"), account.client("sqs")
        name = f"t-{uuid.uuid4().hex[:10]}"
        self.arn = sns.create_topic(Name=name)["TopicArn"]
        self._url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:{account.id}:{name}"
        statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": policy})
        attributes = {"RawMessageDelivery": "true"}
        sns.subscribe(TopicArn=self.arn, Protocol="sqs", Endpoint=arn, Attributes=attributes)
        self.heard: list[dict[str, Any]] = []

    def hear(self) -> list[dict[str, Any]]:
        """All events so far."""
        found = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in found.get("Messages", ()):
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
            if message["Body"].startswith("{"):
                self.heard.append(json.loads(message["Body"]))
        return self.heard


def test_simple_mails_with_headers_and_attachments(ses: Any, account: Account) -> None:
    headers = [{"Name": "X-Own", "Value": "yes"}]
    attachments = [{"FileName": "a.txt", "RawContent": b"inside", "ContentType": "text/plain"}]
    to = {"ToAddresses": ["b@example.com"], "BccAddresses": ["c@example.com"]}
    content = simple(Headers=headers, Attachments=attachments)
    ses.send_email(FromEmailAddress="Ann <a@example.com>", Destination=to, Content=content)
    (mail,) = mailbox(account)
    parsed = email.message_from_string(mail["RawData"], policy=default)
    assert parsed["X-Own"] == "yes" and "c@example.com" not in mail["RawData"]
    assert [part.get_content() for part in parsed.iter_attachments()] == ["inside"]
    for name, value in (("X\r\nBcc", "eve@example.com"), ("X", "y\r\nBcc: eve@example.com"), ("From", "z@example.com")):
        bad = simple(Headers=[{"Name": name, "Value": value}])
        refused = code(lambda bad=bad: ses.send_email(FromEmailAddress="a@example.com", Destination=to, Content=bad))
        assert refused in ("BadRequestException", "ValidationException"), name
    other = lambda: ses.send_email(FromEmailAddress="z@example.com", Destination=to, Content=simple())  # noqa: E731
    assert code(other) == "MessageRejected"
    forged = b"From: a@example.com\r\nFrom: z@example.com\r\nTo: b@example.com\r\n\r\nx"
    raw = lambda data: ses.send_email(FromEmailAddress="a@example.com", Content={"Raw": {"Data": data}})  # noqa: E731
    assert code(lambda: raw(forged)) == "BadRequestException"
    assert code(lambda: raw(b"From: z@example.com\r\nTo: b@example.com\r\n\r\nx")) == "MessageRejected"
    raw(
        b"From: a@example.com\r\nTo: b@example.com\r\nBcc: s@example.com,\r\n t@example.com\r\nSubject: r\r\n\r\nBcc: x"
    )
    latest = mailbox(account)[0]
    assert latest["Destinations"] == ["b@example.com", "s@example.com", "t@example.com"]
    assert "s@example.com" not in latest["RawData"] and latest["RawData"].endswith("\r\n\r\nBcc: x")


def test_the_public_key_of_a_domain_is_found_by_dns(cloud: Cloud, account: Account) -> None:
    ses, zone = account.client("sesv2"), Zone(cloud, account)
    made = ses.create_email_identity(EmailIdentity=zone.name)
    assert made["IdentityType"] == "DOMAIN" and made["DkimAttributes"]["Status"] == "SUCCESS"
    tokens, host = made["DkimAttributes"]["Tokens"], made["DkimAttributes"]["SigningHostedZone"]
    zone.put(*(zone.set(f"{token}._domainkey", "CNAME", f"{token}.{host}") for token in tokens))
    to = {"ToAddresses": ["b@example.com"]}
    ses.send_email(FromEmailAddress=f"a@{zone.name}", Destination=to, Content=simple())
    raw = mailbox(account)[0]["RawData"].encode()

    def look_up(name: bytes, **_: Any) -> bytes | None:
        text, wanted = name.decode(), "TXT"
        for _ in range(3):
            question = dns.message.make_query(text, wanted)
            answer = cloud.ask_dns(question, tcp=True).answer
            for group in answer:
                for item in group:
                    if item.rdtype == 16:
                        return b"".join(item.strings)
                    text = item.target.to_text()
        return None

    cloud.wait_until(lambda: look_up(f"{tokens[0]}._domainkey.{zone.name}.".encode()) is not None, 20)
    assert dkim.verify(raw, dnsfunc=look_up)
    assert not dkim.verify(raw.replace(b"hi", b"ho"), dnsfunc=look_up)
    assert ses.get_email_identity(EmailIdentity=zone.name)["VerifiedForSendingStatus"]
    ses.delete_email_identity(EmailIdentity=zone.name)
    assert code(lambda: ses.get_email_identity(EmailIdentity=zone.name)) == "NotFoundException"


def test_events_and_the_suppression_list(ses: Any, account: Account, cloud: Cloud) -> None:
    topic = Topic(account)
    ses.create_configuration_set(ConfigurationSetName="s")
    wanted = ["SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "REJECT", "RENDERING_FAILURE"]
    destination = {"Enabled": True, "MatchingEventTypes": wanted, "SnsDestination": {"TopicArn": topic.arn}}
    create = ses.create_configuration_set_event_destination
    create(ConfigurationSetName="s", EventDestinationName="e", EventDestination=destination)
    missing = {**destination, "SnsDestination": {"TopicArn": f"{topic.arn}x"}}
    gone = lambda: create(ConfigurationSetName="s", EventDestinationName="f", EventDestination=missing)  # noqa: E731
    assert code(gone) == "BadRequestException"

    def send(*to: str, text: str = "hello") -> None:
        ses.send_email(
            FromEmailAddress="a@example.com",
            Destination={"ToAddresses": list(to)},
            Content=simple(text),
            ConfigurationSetName="s",
            EmailTags=[{"Name": "kind", "Value": "test"}],
        )

    ses.put_suppressed_destination(EmailAddress="Gone@example.com", Reason="COMPLAINT")
    send(f"success@{SIMULATOR}", f"bounce+1@{SIMULATOR}", f"complaint@{SIMULATOR}", "gone@example.com")
    send("b@example.com", text=r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*")
    cloud.wait_until(lambda: len(topic.hear()) >= 8, 30)
    kinds = sorted(event["eventType"] for event in topic.heard)
    assert kinds == ["Bounce", "Bounce", "Complaint", "Delivery", "Delivery", "Reject", "Send", "Send"]
    bounces = {
        event["bounce"]["bouncedRecipients"][0]["emailAddress"]: event["bounce"]["bounceSubType"]
        for event in topic.heard
        if event["eventType"] == "Bounce"
    }
    assert bounces == {f"bounce+1@{SIMULATOR}": "General", "gone@example.com": "OnAccountSuppressionList"}
    mail = topic.heard[0]["mail"]
    assert mail["tags"]["kind"] == ["test"] and mail["tags"]["ses:configuration-set"] == ["s"]
    assert mail["commonHeaders"]["from"] == ["a@example.com"] and mail["sendingAccountId"] == account.id
    listed = ses.list_suppressed_destinations(Reasons=["COMPLAINT"])["SuppressedDestinationSummaries"]
    assert [item["EmailAddress"] for item in listed] == ["gone@example.com"]
    ses.put_configuration_set_suppression_options(ConfigurationSetName="s", SuppressedReasons=["BOUNCE"])
    topic.heard.clear()
    send("gone@example.com")
    cloud.wait_until(lambda: {"Send", "Delivery"} == {event["eventType"] for event in topic.hear()}, 30)
    ses.put_configuration_set_sending_options(ConfigurationSetName="s", SendingEnabled=False)
    assert code(lambda: send("b@example.com")) == "SendingPausedException"
    ses.delete_suppressed_destination(EmailAddress="gone@example.com")
    lost = lambda: ses.get_suppressed_destination(EmailAddress="gone@example.com")  # noqa: E731
    assert code(lost) == "NotFoundException"


def test_templates_one_by_one_and_in_bulk(ses: Any, account: Account) -> None:
    ses.create_email_template(TemplateName="t", TemplateContent={"Subject": "Hi {{name}}", "Html": "<p>{{name}}</p>"})
    assert code(lambda: ses.create_email_template(TemplateName="t", TemplateContent={"Subject": "x"})) == (
        "AlreadyExistsException"
    )
    entries = [
        {"Destination": {"ToAddresses": ["b@example.com"]}, "ReplacementEmailContent": {"ReplacementTemplate": given}}
        for given in ({"ReplacementTemplateData": '{"name": "A&B"}'}, {})
    ]
    default = {"Template": {"TemplateName": "t", "TemplateData": "{}"}}
    told = ses.send_bulk_email(FromEmailAddress="a@example.com", DefaultContent=default, BulkEmailEntries=entries)
    assert [item["Status"] for item in told["BulkEmailEntryResults"]] == ["SUCCESS", "INVALID_PARAMETER"]
    assert "Subject: Hi A&B" in mailbox(account)[0]["RawData"] and "A&amp;B" in mailbox(account)[0]["RawData"]
    inline = {"TemplateContent": {"Subject": "S {{x}}", "Text": "T"}, "TemplateData": '{"x": "1"}'}
    to = {"ToAddresses": ["b@example.com"]}
    ses.send_email(FromEmailAddress="a@example.com", Destination=to, Content={"Template": inline})
    assert "Subject: S 1" in mailbox(account)[0]["RawData"]
    first = account.client("ses").list_templates()["TemplatesMetadata"]
    assert (
        [item["Name"] for item in first]
        == ["t"]
        == [item["TemplateName"] for item in ses.list_email_templates()["TemplatesMetadata"]]
    )
    assert code(lambda: ses.get_email_template(TemplateName="none")) == "NotFoundException"


def test_the_account_and_tags(ses: Any, account: Account) -> None:
    found = ses.get_account()
    assert not found["ProductionAccessEnabled"] and found["SendQuota"]["Max24HourSend"] == 200.0
    assert found["SuppressionAttributes"]["SuppressedReasons"] == ["BOUNCE", "COMPLAINT"]
    ses.put_account_suppression_attributes(SuppressedReasons=["BOUNCE"])
    assert ses.get_account()["SuppressionAttributes"]["SuppressedReasons"] == ["BOUNCE"]
    arn = f"arn:aws:ses:us-east-1:{account.id}:identity/a@example.com"
    ses.tag_resource(ResourceArn=arn, Tags=[{"Key": "k", "Value": "v"}])
    assert ses.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
    elsewhere = arn.replace("arn:aws:", "arn:aws-cn:")  # a Deny on the ARN would not be about this one
    assert code(lambda: ses.list_tags_for_resource(ResourceArn=elsewhere)) == "NotFoundException"
    assert account.client("ses").list_identities()["Identities"] == ["a@example.com"]
    ses.put_account_sending_attributes(SendingEnabled=False)
    to = {"ToAddresses": ["b@example.com"]}
    paused = lambda: ses.send_email(FromEmailAddress="a@example.com", Destination=to, Content=simple())  # noqa: E731
    assert code(paused) == "SendingPausedException"
