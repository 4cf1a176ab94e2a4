"""Mail from outside: who takes it, what rules do with it, and what is refused."""

from __future__ import annotations

import json
import smtplib
import socket
import uuid
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest

from tests.cloud import Account, Cloud
from tests.services.organizations.test_organizations import code
from tests.services.ses.test_mail import BODY, mailbox
from tests.services.sesv2.test_version_two import Topic

pytestmark = pytest.mark.xdist_group("mail")  # one relay for all


class Room:
    """A domain that takes mail by the rules of an active set."""

    def __init__(self, cloud: Cloud, account: Account) -> None:
        self.ses, self.account, self.cloud = account.client("ses"), account, cloud
        self.domain = f"in-{uuid.uuid4().hex[:10]}.test"
        self.ses.verify_domain_identity(Domain=self.domain)
        self.ses.create_receipt_rule_set(RuleSetName="set")

    def rule(self, name: str, *actions: dict[str, Any], to: tuple[str, ...] = (), after: str | None = None) -> None:
        rule = {"Name": name, "Enabled": True, "Actions": list(actions), "Recipients": list(to)}
        more = {"After": after} if after else {}
        self.ses.create_receipt_rule(RuleSetName="set", Rule=rule, **more)

    def open(self) -> None:
        """Take mail from now on."""
        self.ses.set_active_receipt_rule_set(RuleSetName="set")
        self.cloud.wait_until(self._listens, 60)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.cloud.smtp_port())) == 0

    def send(self, *to: str, sender: str = "x@elsewhere.test", **headers: str) -> dict[str, tuple[int, bytes]]:
        """Deliver a mail; whom the server refused."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "x@elsewhere.test", ", ".join(to), "in"
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail.set_content("come in")
        with smtplib.SMTP("127.0.0.1", self.cloud.smtp_port(), timeout=20) as server:
            return dict(server.send_message(mail, sender, list(to)))


@pytest.fixture
def room(cloud: Cloud, account: Account) -> Iterator[Room]:
    made = Room(cloud, account)
    yield made
    made.ses.set_active_receipt_rule_set()


def bucket(account: Account) -> str:
    """A bucket that SES may write to."""
    name = f"mail-{uuid.uuid4().hex[:12]}"
    s3 = account.client("s3")
    s3.create_bucket(Bucket=name)
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "ses.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{name}/*",
        "Condition": {"StringEquals": {"aws:SourceAccount": account.id}},
    }
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    return name


def test_rules_store_tell_and_stop(room: Room, account: Account, cloud: Cloud) -> None:
    where, topic, s3 = bucket(account), Topic(account), account.client("s3")
    header = {"AddHeaderAction": {"HeaderName": "X-Sorted", "HeaderValue": "yes"}}
    store = {"S3Action": {"BucketName": where, "ObjectKeyPrefix": "in/"}}
    stop = {"StopAction": {"Scope": "RuleSet"}}
    room.rule("first", header, store, {"SNSAction": {"TopicArn": topic.arn}}, stop, to=(f"a@{room.domain}",))
    room.rule("second", {"S3Action": {"BucketName": where, "ObjectKeyPrefix": "rest/"}}, after="first")
    room.open()
    assert room.send(f"A@{room.domain}") == {}
    cloud.wait_until(lambda: len(topic.hear()) == 1, 30)
    (event,) = topic.heard
    assert event["notificationType"] == "Received" and event["receipt"]["recipients"] == [f"A@{room.domain}"]
    assert "come in" in event["content"] and event["content"].startswith("X-Sorted: yes\r\n")

    def keys() -> list[str]:
        return [item["Key"] for item in s3.list_objects_v2(Bucket=where).get("Contents", ())]

    (key,) = [key for key in keys() if key.startswith("in/") and "SETUP" not in key]
    assert b"X-Sorted: yes" in s3.get_object(Bucket=where, Key=key)["Body"].read()
    assert [key for key in keys() if key.startswith("rest/") and "SETUP" not in key] == []
    assert room.send(f"b@sub.{room.domain}") == {}
    cloud.wait_until(lambda: any(key.startswith("rest/") and "SETUP" not in key for key in keys()), 30)
    assert all(mail["Received"] for mail in mailbox(account))


def test_nothing_is_relayed_and_nobody_takes_anothers_mail(room: Room, cloud: Cloud) -> None:
    room.rule("all", {"AddHeaderAction": {"HeaderName": "X", "HeaderValue": "y"}})
    room.open()
    other = Room(cloud, cloud.new_account())
    other.ses.verify_domain_identity(Domain=room.domain)  # later than its owner
    other.rule("all", {"AddHeaderAction": {"HeaderName": "X", "HeaderValue": "y"}})
    other.open()
    assert room.send(f"a@{room.domain}") == {}
    assert len(mailbox(room.account)) == 1 and mailbox(other.account) == []
    for address in ("a@gmail.com", f"a@{room.domain}.com", f"a%b.com@{room.domain}x", f"@{room.domain}:a@b.com"):
        with pytest.raises(smtplib.SMTPException):
            room.send(address)
    room.ses.create_receipt_filter(Filter={"Name": "f", "IpFilter": {"Policy": "Block", "Cidr": "127.0.0.0/8"}})
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        room.send(f"a@{room.domain}")
    room.ses.create_receipt_filter(Filter={"Name": "g", "IpFilter": {"Policy": "Allow", "Cidr": "127.0.0.1/32"}})
    assert room.send(f"a@{room.domain}") == {}, "the narrowest filter decides"
    hops = "".join("Received: from a by b\r\n" for _ in range(40))
    with smtplib.SMTP("127.0.0.1", cloud.smtp_port(), timeout=20) as server, pytest.raises(smtplib.SMTPDataError):
        server.sendmail("x@elsewhere.test", [f"a@{room.domain}"], f"{hops}\r\nround and round")
    with smtplib.SMTP("127.0.0.1", cloud.smtp_port(), timeout=20) as server:
        server.ehlo()
        assert server.docmd("MAIL", "FROM:<x@elsewhere.test> SIZE=99999999")[0] == 552
        assert server.docmd("AUTH", "PLAIN AGEAYQ==")[0] >= 500
    other.ses.set_active_receipt_rule_set()


def test_bounces_go_back_but_never_round(room: Room, account: Account, cloud: Cloud) -> None:
    sender = f"daemon@{room.domain}"
    bounce = {"SmtpReplyCode": "550", "StatusCode": "5.1.1", "Message": "no such box", "Sender": sender}
    room.rule("no", {"BounceAction": bounce})
    room.open()
    assert room.send(f"a@{room.domain}") == {}

    def sent_back() -> list[Any]:
        return [mail for mail in mailbox(account) if not mail["Received"]]

    cloud.wait_until(lambda: len(sent_back()) == 1, 30)
    (mail,) = sent_back()
    assert mail["Destinations"] == ["x@elsewhere.test"] and mail["Source"] == "" and "no such box" in mail["RawData"]
    room.send(f"a@{room.domain}", sender="")
    room.send(f"a@{room.domain}", Auto_Submitted="auto-replied")
    room.send(f"a@{room.domain}", sender="last@elsewhere.test")
    cloud.wait_until(lambda: len(sent_back()) == 2, 30)
    assert sent_back()[0]["Destinations"] == ["last@elsewhere.test"]


def test_rules_that_cannot_be(room: Room, account: Account) -> None:
    s3, sns = account.client("s3"), f"arn:aws:sns:us-east-1:{account.id}:none"
    s3.create_bucket(Bucket=(closed := f"closed-{uuid.uuid4().hex[:12]}"))
    for action, wanted in (
        ({"S3Action": {"BucketName": closed}}, "InvalidS3Configuration"),
        ({"SNSAction": {"TopicArn": sns}}, "InvalidSnsTopic"),
        ({"AddHeaderAction": {"HeaderName": "X", "HeaderValue": "y\r\nBcc: z"}}, "InvalidParameterValue"),
        ({"BounceAction": {"SmtpReplyCode": "550", "Message": "m", "Sender": "a@gmail.com"}}, "InvalidParameterValue"),
    ):
        assert code(lambda action=action: room.rule("r", action)) == wanted
    header = {"AddHeaderAction": {"HeaderName": "X", "HeaderValue": "y"}}
    for name in ("a", "b", "c"):
        room.rule(name, header)
    listed = lambda: [rule["Name"] for rule in room.ses.describe_receipt_rule_set(RuleSetName="set")["Rules"]]  # noqa: E731
    assert listed() == ["c", "b", "a"]
    room.ses.set_receipt_rule_position(RuleSetName="set", RuleName="c", After="a")
    assert listed() == ["b", "a", "c"]
    room.ses.reorder_receipt_rule_set(RuleSetName="set", RuleNames=["a", "b", "c"])
    assert listed() == ["a", "b", "c"]
    room.ses.set_active_receipt_rule_set(RuleSetName="set")
    assert code(lambda: room.ses.delete_receipt_rule_set(RuleSetName="set")) == "CannotDelete"
    assert code(lambda: room.ses.describe_receipt_rule_set(RuleSetName="none")) == "RuleSetDoesNotExist"


def test_a_relay_takes_mail_out_and_its_refusals_are_bounces(cloud: Cloud, account: Account) -> None:
    """The relay is a receiving listener of the cloud itself, which refuses whom nobody has rules for."""
    room = Room(cloud, account)
    room.rule("all", {"AddHeaderAction": {"HeaderName": "X", "HeaderValue": "y"}})
    room.open()
    ses, v2, topic = room.ses, account.client("sesv2"), Topic(account)
    ses.verify_email_identity(EmailAddress="a@example.com")
    for kind in ("Bounce", "Delivery"):
        ses.set_identity_notification_topic(Identity="a@example.com", NotificationType=kind, SnsTopic=topic.arn)
    cloud.celaje("mail", "relay", f"127.0.0.1:{cloud.smtp_port()}", "--tls", "none")
    try:
        to = {"ToAddresses": [f"b@{room.domain}", "nobody@nowhere.test"]}
        ses.send_email(Source="a@example.com", Destination=to, Message=BODY)
        cloud.wait_until(lambda: len(topic.hear()) == 2, 60)
    finally:
        cloud.celaje("mail", "keep")
    found = {event["notificationType"]: event for event in topic.heard}
    assert found["Delivery"]["delivery"]["recipients"] == [f"b@{room.domain}"]
    assert found["Bounce"]["bounce"]["bouncedRecipients"][0]["emailAddress"] == "nobody@nowhere.test"
    listed = v2.list_suppressed_destinations()["SuppressedDestinationSummaries"]
    assert [item["EmailAddress"] for item in listed] == ["nobody@nowhere.test"]
    assert any(mail["Received"] and "DKIM" not in mail["RawData"] for mail in mailbox(account))
    room.ses.set_active_receipt_rule_set()
