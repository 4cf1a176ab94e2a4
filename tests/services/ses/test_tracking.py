"""Opens and clicks of mails, told to the topic of their configuration set."""

from __future__ import annotations

import email
import email.policy
import http.client
import re
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from controlplane.services.ses import tracking
from controlplane.state.sealing import Sealer
from tests.cloud import Account, Cloud
from tests.services.ses.test_mail import mailbox
from tests.services.sesv2.test_version_two import Topic

PAGE = (
    '<html><body><a class="x" href="https://shop.test/a?b=1&amp;c=2">buy</a> '
    '<a ses:no-track href="https://shop.test/privacy">privacy</a> <a href="mailto:a@b.test">us</a></body></html>'
)


def get(url: str) -> http.client.HTTPResponse:
    """What a mail program gets, which follows nothing."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    connection.request("GET", parts.path, headers={"user-agent": "a reader"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def page(account: Account, number: int) -> str:
    """The HTML of the latest mail, of so many."""
    mails = mailbox(account)
    assert len(mails) == number
    mail: Any = email.message_from_string(mails[0]["RawData"], policy=email.policy.default)
    return str(mail.get_body(("html",)).get_content())


def test_opens_and_clicks_are_told(account: Account, cloud: Cloud) -> None:
    ses, topic = account.client("sesv2"), Topic(account)
    ses.create_email_identity(EmailIdentity="a@example.com")
    ses.create_configuration_set(ConfigurationSetName="s")
    send = {
        "FromEmailAddress": "a@example.com",
        "Destination": {"ToAddresses": ["b@example.com"]},
        "Content": {"Simple": {"Subject": {"Data": "s"}, "Body": {"Html": {"Data": PAGE}, "Text": {"Data": "plain"}}}},
        "ConfigurationSetName": "s",
    }
    ses.send_email(**send)
    assert page(account, 1).strip() == PAGE, "nobody wants to know"
    destination = {"Enabled": True, "MatchingEventTypes": ["OPEN", "CLICK"], "SnsDestination": {"TopicArn": topic.arn}}
    create = ses.create_configuration_set_event_destination
    create(ConfigurationSetName="s", EventDestinationName="e", EventDestination=destination)
    sent = ses.send_email(**send)["MessageId"]
    shown = page(account, 2)
    assert '<a href="https://shop.test/privacy">' in shown and 'href="mailto:a@b.test"' in shown
    click, picture = re.search(r'class="x" href="([^"]+)"', shown), re.search(r'src="([^"]+)"', shown)
    assert click is not None and picture is not None and "shop.test" not in click[1]
    answer = get(picture[1])
    assert (answer.status, answer.headers["content-type"]) == (200, "image/gif")
    answer = get(click[1])
    assert (answer.status, answer.headers["location"]) == (302, "https://shop.test/a?b=1&c=2")
    assert get(click[1][:-6] + "AAAAAA").status == 404, "a token of nobody's leads nowhere"
    cloud.wait_until(lambda: len(topic.hear()) == 2, 60)
    told = {event["eventType"]: event for event in topic.heard}
    assert told["Click"]["click"]["link"] == "https://shop.test/a?b=1&c=2"
    assert told["Open"]["open"]["userAgent"] == "a reader"
    assert {event["mail"]["messageId"] for event in told.values()} == {sent}


def test_links_lead_through_a_domain_of_ones_own(account: Account) -> None:
    ses, topic = account.client("ses"), Topic(account)
    ses.verify_email_identity(EmailAddress="a@example.com")
    ses.create_configuration_set(ConfigurationSet={"Name": "s"})
    destination = {"Name": "e", "Enabled": True, "MatchingEventTypes": ["open"], "SNSDestination": {}}
    destination["SNSDestination"] = {"TopicARN": topic.arn}
    ses.create_configuration_set_event_destination(ConfigurationSetName="s", EventDestination=destination)
    named = {"ConfigurationSetName": "s", "TrackingOptions": {"CustomRedirectDomain": "news.example.com"}}
    with pytest.raises(ClientError, match="TrackingOptionsDoesNotExistException"):
        ses.update_configuration_set_tracking_options(**named)
    ses.create_configuration_set_tracking_options(**named)
    with pytest.raises(ClientError, match="TrackingOptionsAlreadyExistsException"):
        ses.create_configuration_set_tracking_options(**named)
    asked = {"ConfigurationSetName": "s", "ConfigurationSetAttributeNames": ["trackingOptions"]}
    assert ses.describe_configuration_set(**asked)["TrackingOptions"] == named["TrackingOptions"]
    message = {"Subject": {"Data": "s"}, "Body": {"Html": {"Data": PAGE}}}
    ses.send_email(
        Source="a@example.com", Destination={"ToAddresses": ["b@x.test"]}, Message=message, ConfigurationSetName="s"
    )
    assert "//news.example.com/_celaje/ses/open/" in page(account, 1)
    ses.delete_configuration_set_tracking_options(ConfigurationSetName="s")
    assert "TrackingOptions" not in ses.describe_configuration_set(**asked)


def test_hostile_pages_are_read_in_one_pass() -> None:
    def rewritten(page: str) -> str:
        mail = b"Content-Type: text/html; charset=utf-8\r\n\r\n" + page.encode()
        made = tracking.rewritten(mail, uuid.uuid4(), {"CLICK"}, "http://c.test", Sealer(bytes(32)))
        return email.message_from_bytes(made, policy=email.policy.default).get_content()

    for shape in ("<a ", "<a href=", "<a href='https://", f"<a {' ' * 7000}>", f"<a href{' ' * 7000}>", "href = '"):
        began = time.monotonic()
        rewritten("\n".join([shape * (100_000 // len(shape))] * 10))
        assert time.monotonic() - began < 3, shape[:20]
    told = rewritten('<a href="https://shop.test/">x</a>\n' * 300)
    assert told.count("http://c.test/") == 250 and told.count("https://shop.test/") == 50
