"""What is logged of deliveries, and where HTTP subscriptions may not lead."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud import Account
from tests.services.sns.test_endpoints import confirmed
from tests.services.sns.test_topics import Lab, endpoint, lab, shown

__all__ = ["lab"]
ROLE = "arn:aws:iam::123456789012:role/logs"


def reports(account: Account, number: int) -> list[dict[str, Any]]:
    """The log of deliveries, newest first, once it has so many lines."""
    deadline = time.monotonic() + 60
    while len(found := shown(account, "/sns/deliveries")["Deliveries"]) < number:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return list(found)


def test_a_topic_s_deliveries_are_logged_where_it_asks_for_it(lab: Lab, account: Account) -> None:
    wanted = {f"{prefix}SuccessFeedbackRoleArn": ROLE for prefix in ("SQS", "HTTP")}
    wanted |= {f"{prefix}FailureFeedbackRoleArn": ROLE for prefix in ("SQS", "HTTP")}
    topic = lab.topic(**wanted, SQSSuccessFeedbackSampleRate="100")
    for name, value in (("HTTPSuccessFeedbackSampleRate", "101"), ("HTTPFailureFeedbackRoleArn", "me")):
        with pytest.raises(ClientError, match="Invalid value"):
            lab.sns.set_topic_attributes(TopicArn=topic, AttributeName=name, AttributeValue=value)
    _, arn = lab.queue(topic)
    _, closed = lab.queue()
    for queue in (arn, closed):
        lab.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    sent = lab.sns.publish(TopicArn=topic, Message="x")
    found = {one["delivery"]["destination"]: one for one in reports(account, 2)}
    assert found[arn]["status"] == "SUCCESS" and found[arn]["LogGroup"].count("/") == 3
    assert found[closed]["status"] == "FAILURE" and found[closed]["LogGroup"].endswith("/Failure")
    told = found[arn]["notification"]
    assert (told["messageId"], told["topicArn"]) == (sent["MessageId"], topic)
    assert told["messageMD5Sum"] == "9dd4e461268c8034f5c8564e155c67a6"
    with endpoint(200, 200, 404) as (url, heard):
        confirmed(lab, topic, url, heard)
        lab.sns.publish(TopicArn=topic, Message="sampled at nought")
        lab.sns.publish(TopicArn=topic, Message="refused")
        lines = [one for one in reports(account, 7) if one["delivery"]["destination"] == url]
    assert [(one["status"], one["delivery"]["statusCode"]) for one in lines] == [("FAILURE", 404)]


@pytest.mark.parametrize("host", ["127.0.0.2", "169.254.169.254", "[::1]", "[::ffff:127.0.0.2]", "0.0.0.0"])
def test_a_subscription_leads_to_no_address_of_the_cloud(lab: Lab, account: Account, host: str) -> None:
    topic = lab.topic(HTTPFailureFeedbackRoleArn=ROLE)
    dead, arn = lab.queue(topic)
    policy = f'{{"deadLetterTargetArn": "{arn}"}}'
    retries = '{"healthyRetryPolicy": {"numRetries": 0, "minDelayTarget": 1, "maxDelayTarget": 1}}'
    with endpoint(200) as (url, heard):
        place = url.replace("127.0.0.1", host)
        attributes = {"DeliveryPolicy": retries, "RedrivePolicy": policy}
        lab.sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=place, Attributes=attributes)
        time.sleep(1)
        assert heard.empty()
    assert not lab.take(dead, 0)


def test_a_redirect_is_not_followed(lab: Lab, account: Account) -> None:
    topic = lab.topic(HTTPFailureFeedbackRoleArn=ROLE)
    with endpoint(200, 302) as (url, heard):
        confirmed(lab, topic, url, heard)
        lab.sns.publish(TopicArn=topic, Message="go elsewhere")
        (line,) = reports(account, 1)
    assert line["delivery"]["statusCode"] == 302 and line["status"] == "FAILURE"
    assert heard.qsize() == 1
