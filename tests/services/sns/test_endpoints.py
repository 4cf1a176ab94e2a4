"""Endpoints that are no queues: retries and what follows them, mail, devices; and who may use a topic."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.request
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud import Account, Cloud
from tests.services.iam.conftest import user_with_key
from tests.services.ses.test_mail import mailbox
from tests.services.sns.test_topics import Lab, endpoint, lab

__all__ = ["lab"]


def code(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value.response["Error"]["Code"])


def confirmed(lab: Lab, topic: str, url: str, heard: Any, **attributes: str) -> str:
    """The ARN of an HTTP subscription that its endpoint has confirmed."""
    made = lab.sns.subscribe(
        TopicArn=topic, Protocol="http", Endpoint=url, Attributes=attributes, ReturnSubscriptionArn=True
    )
    question = json.loads(heard.get(timeout=60)[1])
    lab.sns.confirm_subscription(TopicArn=topic, Token=question["Token"])
    return str(made["SubscriptionArn"])


def test_retries_come_at_their_distances_and_then_the_dead_letter_queue(lab: Lab) -> None:
    topic = lab.topic()
    dead, arn = lab.queue(topic)
    policy = {
        "numRetries": 3,
        "numNoDelayRetries": 1,
        "minDelayTarget": 1,
        "maxDelayTarget": 2,
        "numMaxDelayRetries": 1,
    }
    with endpoint(200, 500, 503, 429, 500) as (url, heard):
        confirmed(
            lab,
            topic,
            url,
            heard,
            DeliveryPolicy=json.dumps({"healthyRetryPolicy": policy}),
            RedrivePolicy=json.dumps({"deadLetterTargetArn": arn}),
        )
        lab.sns.publish(TopicArn=topic, Message="nobody wants me")
        times = []
        for _ in range(4):
            heard.get(timeout=60)
            times.append(time.monotonic())
        (letter,) = lab.take(dead, 20)
        assert json.loads(letter["Body"])["Message"] == "nobody wants me"
        assert heard.empty(), "three retries, no more"
    waits = [later - sooner for sooner, later in pairwise(times)]
    assert waits[1] > 0.9 and waits[2] > 1.9, waits


def test_what_an_endpoint_refuses_is_not_tried_again(lab: Lab) -> None:
    topic = lab.topic()
    dead, arn = lab.queue(topic)
    with endpoint(200, 403) as (url, heard):
        confirmed(lab, topic, url, heard, RedrivePolicy=json.dumps({"deadLetterTargetArn": arn}))
        lab.sns.publish(TopicArn=topic, Message="no")
        assert json.loads(lab.take(dead, 20)[0]["Body"])["Message"] == "no"
        heard.get(timeout=60)
        assert heard.empty()


@pytest.mark.parametrize("protocol", ["email", "email-json"])
def test_mail_asks_first_and_then_brings_messages(lab: Lab, account: Account, protocol: str) -> None:
    topic = lab.topic(DisplayName="News")
    lab.sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint="ana@example.com")
    question = mails(account, 1)[0]
    assert "Subscription Confirmation" in question
    link = re.search(r"https?://\S+Action=ConfirmSubscription[^\s\"]+", question)
    assert link is not None, question
    urllib.request.urlopen(link[0]).close()
    lab.sns.publish(TopicArn=topic, Subject="today", Message="it rains")
    mail = mails(account, 2)[0]
    assert "Subject: today" in mail and "News" in mail and "it rains" in mail
    assert ('"Type"' in mail) is (protocol == "email-json")


def mails(account: Account, number: int) -> list[str]:
    """The account's mails, newest first, once there are so many; long lines joined as a mail program does."""
    deadline = time.monotonic() + 60
    while len(found := mailbox(account)) < number:
        assert time.monotonic() < deadline, f"{len(found)} mails"
        time.sleep(0.2)
    return [mail["RawData"].replace("=\r\n", "").replace("=\n", "").replace("=3D", "=") for mail in found]


def test_devices(lab: Lab) -> None:
    sns = lab.sns
    app = sns.create_platform_application(
        Name="app", Platform="GCM", Attributes={"PlatformCredential": "secret", "EventEndpointCreated": lab.topic()}
    )["PlatformApplicationArn"]
    told = sns.get_platform_application_attributes(PlatformApplicationArn=app)["Attributes"]
    assert "PlatformCredential" not in told and told["Enabled"] == "true"
    new = {"PlatformApplicationArn": app, "CustomUserData": "u"}
    device = sns.create_platform_endpoint(**new, Token="t1")["EndpointArn"]
    assert sns.create_platform_endpoint(**new, Token="t1")["EndpointArn"] == device
    other = sns.create_platform_endpoint(**new, Token="t2")["EndpointArn"]
    assert code(sns.set_endpoint_attributes, EndpointArn=other, Attributes={"Token": "t1"}) == "InvalidParameter"
    listed = sns.list_endpoints_by_platform_application(PlatformApplicationArn=app)["Endpoints"]
    assert {one["EndpointArn"] for one in listed} == {device, other}
    assert sns.publish(TargetArn=device, Message="hi")["MessageId"]
    sns.set_endpoint_attributes(EndpointArn=device, Attributes={"Enabled": "false"})
    assert code(sns.publish, TargetArn=device, Message="hi") == "EndpointDisabled"
    sns.delete_endpoint(EndpointArn=device)
    assert code(sns.get_endpoint_attributes, EndpointArn=device) == "NotFound"
    sns.delete_platform_application(PlatformApplicationArn=app)
    assert sns.list_platform_applications()["PlatformApplications"] == []


def test_only_devices_are_subscribed_as_such(lab: Lab, account: Account) -> None:
    topic = lab.topic()
    for name in ("foo", "endpoint/GCM/app", "endpoint/GCM/app/1/2", "app/GCM/app/x", "endpoint/GCM/app/x:y"):
        arn = f"arn:aws:sns:us-east-1:{account.id}:{name}"
        assert code(lab.sns.subscribe, TopicArn=topic, Protocol="application", Endpoint=arn) == "InvalidParameter"


def test_events_of_devices_beget_no_events(lab: Lab) -> None:
    topic = lab.topic()
    queue, _ = lab.subscribed(topic, RawMessageDelivery="true")
    attributes = {"PlatformCredential": "secret", "EventDeliveryFailure": topic}
    app = lab.sns.create_platform_application(Name="app", Platform="GCM", Attributes=attributes)
    for token in ("t1", "t2"):
        device = lab.sns.create_platform_endpoint(
            PlatformApplicationArn=app["PlatformApplicationArn"], Token=token, Attributes={"Enabled": "false"}
        )
        lab.sns.subscribe(TopicArn=topic, Protocol="application", Endpoint=device["EndpointArn"])
    lab.sns.publish(TopicArn=topic, Message="x")
    heard: list[str] = []
    while found := lab.take(queue, 5):
        heard += (message["Body"] for message in found)
        for message in found:
            lab.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        assert len(heard) <= 3
    assert sum("DeliveryFailure" in body for body in heard) == 2, "one for each device, of the message itself"


def test_tokens_of_one_list_are_no_good_for_another(lab: Lab) -> None:
    from controlplane.core.paging import encode_token

    token = encode_token("6f0c3b1e-27c5-4be5-8f0e-3b1c6a0f7a51")
    assert code(lab.sns.list_platform_applications, NextToken=token) == "InvalidParameter"
    assert code(lab.sns.list_subscriptions, NextToken=encode_token("7")) == "InvalidParameter"


def test_permissions_let_another_account_in(lab: Lab, cloud: Cloud) -> None:
    topic, stranger = lab.topic(), cloud.new_account()
    theirs = stranger.client("sns")
    assert code(theirs.publish, TopicArn=topic, Message="x") == "AuthorizationError"
    lab.sns.add_permission(TopicArn=topic, Label="one", AWSAccountId=[stranger.id], ActionName=["Publish"])
    theirs.publish(TopicArn=topic, Message="x")
    for call, parameters in (
        (theirs.get_topic_attributes, {"TopicArn": topic}),
        (theirs.set_topic_attributes, {"TopicArn": topic, "AttributeName": "DisplayName", "AttributeValue": "x"}),
        (theirs.subscribe, {"TopicArn": topic, "Protocol": "email", "Endpoint": "eve@example.com"}),
        (theirs.delete_topic, {"TopicArn": topic}),
        (theirs.list_subscriptions_by_topic, {"TopicArn": topic}),
    ):
        assert code(call, **parameters) == "AuthorizationError", call
    lab.sns.remove_permission(TopicArn=topic, Label="one")
    assert code(theirs.publish, TopicArn=topic, Message="x") == "AuthorizationError"


def test_a_user_made_anew_is_not_let_in_again(lab: Lab, account: Account) -> None:
    topic, iam = lab.topic(), account.client("iam")
    student = user_with_key(account, "student")
    user = iam.get_user(UserName="student")["User"]
    statement = {"Effect": "Allow", "Principal": {"AWS": user["Arn"]}, "Action": "sns:Publish", "Resource": topic}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    lab.sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)

    def principal() -> str:
        told = lab.sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
        return str(json.loads(told)["Statement"][0]["Principal"]["AWS"])

    assert principal() == user["Arn"]
    student.client("sns").publish(TopicArn=topic, Message="x")
    iam.delete_access_key(UserName="student", AccessKeyId=student.access_key_id)
    iam.delete_user(UserName="student")
    again = user_with_key(account, "student")
    assert code(again.client("sns").publish, TopicArn=topic, Message="x") == "AuthorizationError"
    assert principal() == user["UserId"]
    nobody = policy.replace(user["Arn"], f"arn:aws:iam::{account.id}:user/nobody")
    for bad in (nobody, '{"Statement": [{"Effect": "Allow", "Principal": {"AWS": 5}, "Action": "sns:*"}]}', "7"):
        parameters = {"TopicArn": topic, "AttributeName": "Policy", "AttributeValue": bad}
        assert code(lab.sns.set_topic_attributes, **parameters) == "InvalidParameter"


def test_filters_over_a_large_body_hold_nobody_up(lab: Lab, account: Account) -> None:
    topic = lab.topic()
    policy = json.dumps({"a": {"b": [{"anything-but": [f"x{n}" for n in range(60)]}]}})
    for _ in range(10):
        lab.subscribed(topic, FilterPolicy=policy, FilterPolicyScope="MessageBody")
    body = json.dumps({"a": [{"b": "x59"}] * 18_000})
    assert len(body) < 256 * 1024
    took: list[float] = []

    def look() -> None:
        client = account.client("sts")
        while thread.is_alive():
            began = time.monotonic()
            client.get_caller_identity()
            took.append(time.monotonic() - began)

    thread = threading.Thread(target=lambda: lab.sns.publish(TopicArn=topic, Message=body))
    thread.start()
    look()
    assert took and max(took) < 3, f"somebody else waited for {max(took):.1f} s"
