"""Messages for phones through the owner's gateways: real HTTP servers that take them, refuse them, or lose devices."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.cloud import Account, Cloud
from tests.services.sns.test_endpoints import code
from tests.services.sns.test_reports import log_role, reports
from tests.services.sns.test_topics import Lab, endpoint, shown


class Phones:
    """A cloud with a gateway of each kind, and what these hear."""

    def __init__(self, cloud: Cloud, sms: Any, push: Any) -> None:
        self.cloud, self.sms, self.push = cloud, sms, push


@pytest.fixture(scope="module")
def phones() -> Iterator[Phones]:
    with (
        tempfile.TemporaryDirectory() as folder,
        endpoint(200, 500) as (sms_url, sms),
        endpoint(200, 410) as (push_url, push),
    ):
        home = Path(folder)
        home.chmod(0o711)
        cloud = Cloud(home, agent=False)
        form = {"authorization": "Bearer secret", "content-type": "application/x-www-form-urlencoded"}
        sms_gateway = {"url": sms_url, "headers": form, "body": "to=$number&from=$sender&text=$text", "price": 0.4}
        push_gateway = {"url": push_url, "body": '{"device": $token, "note": $message, "kind": $platform}'}
        try:
            cloud.start(sms_gateway=sms_gateway, push_gateway=push_gateway)
            yield Phones(cloud, sms, push)
        finally:
            cloud.stop()


def until(account: Account, path: str, wanted: Any) -> list[dict[str, Any]]:
    """What an own path shows, once it is as wanted."""
    deadline = time.monotonic() + 60
    while not wanted(found := next(iter(shown(account, path).values()))):
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return list(found)


def test_text_messages_go_to_the_gateway_within_the_limit(phones: Phones) -> None:
    account = phones.cloud.new_account()
    sns = account.client("sns")
    assert code(sns.set_sms_attributes, attributes={"MonthlySpendLimit": "-1"}) == "InvalidParameter"
    for role in ("me", f"arn:aws:iam::{account.id}:user/me"):
        assert code(sns.set_sms_attributes, attributes={"DeliveryStatusIAMRole": role}) == "InvalidParameter"
    settings = {"DefaultSenderID": "celaje", "DeliveryStatusIAMRole": log_role(account)}
    settings |= {"DeliveryStatusSuccessSamplingRate": "100"}
    sns.set_sms_attributes(attributes=settings)
    sns.publish(PhoneNumber="+34123456789", Message="¿qué tal? & más")
    headers, body = phones.sms.get(timeout=60)
    assert headers["authorization"] == "Bearer secret"
    assert parse_qs(body) == {"to": ["+34123456789"], "from": ["celaje"], "text": ["¿qué tal? & más"]}
    until(account, "/sns/sms", lambda found: [one["Status"] for one in found] == ["DELIVERED"])
    sender = {"AWS.SNS.SMS.SenderID": {"DataType": "String", "StringValue": "own"}}
    for name, value in (("SenderID", "a\r\nTo: b"), ("SMSType", "Free"), ("MaxPrice", "nan"), ("MaxPrice", "inf")):
        bad = {f"AWS.SNS.SMS.{name}": {"DataType": "String", "StringValue": value}}
        assert code(sns.publish, PhoneNumber="+34123456789", Message="x", MessageAttributes=bad) == "InvalidParameter"
    sns.publish(PhoneNumber="+34123456789", Message="is tried again", MessageAttributes=sender)
    assert parse_qs(phones.sms.get(timeout=60)[1])["from"] == ["own"], "answered 500"
    assert parse_qs(phones.sms.get(timeout=60)[1])["text"] == ["is tried again"]
    sns.publish(PhoneNumber="+34123456789", Message="beyond a dollar")
    found = until(account, "/sns/sms", lambda found: [one["Status"] for one in found][1:] == ["DELIVERED"] * 2)
    assert (found[0]["Status"], found[0]["ProviderResponse"]) == ("FAILED", "No quota left for account")
    lines = reports(account, 3)
    assert {(one["status"], one["delivery"]["destination"]) for one in lines} == {
        ("SUCCESS", "+34123456789"),
        ("FAILURE", "+34123456789"),
    }
    group = f"sns/us-east-1/{account.id}/DirectPublishToPhoneNumber"
    assert {one["LogGroup"] for one in lines} == {group, f"{group}/Failure"}
    phones.cloud.celaje("sms", "stop", account.id, "+34123456789")
    assert sns.check_if_phone_number_is_opted_out(phoneNumber="+34123456789")["isOptedOut"]
    assert code(sns.publish, PhoneNumber="+34123456789", Message="no") == "InvalidParameter"
    sns.opt_in_phone_number(phoneNumber="+34123456789")
    assert not sns.list_phone_numbers_opted_out()["phoneNumbers"]


def test_devices_hear_through_the_gateway_and_the_lost_are_disabled(phones: Phones) -> None:
    account = phones.cloud.new_account()
    lab = Lab(account)
    told = lab.topic()
    queue, _ = lab.subscribed(told, RawMessageDelivery="true")
    attributes = {"PlatformCredential": "secret", "FailureFeedbackRoleArn": log_role(account)}
    attributes |= {f"Event{event}": told for event in ("EndpointCreated", "DeliveryFailure")}
    app = lab.sns.create_platform_application(Name="app", Platform="GCM", Attributes=attributes)
    device = lab.sns.create_platform_endpoint(PlatformApplicationArn=app["PlatformApplicationArn"], Token="t")
    (event,) = (json.loads(message["Body"]) for message in lab.take(queue))
    assert (event["EventType"], event["EndpointArn"]) == ("EndpointCreated", device["EndpointArn"])
    topic = lab.topic()
    lab.sns.subscribe(TopicArn=topic, Protocol="application", Endpoint=device["EndpointArn"])
    structured = json.dumps({"default": "all", "GCM": '{"data": 1}'})
    lab.sns.publish(TopicArn=topic, Message=structured, MessageStructure="json")
    assert json.loads(phones.push.get(timeout=60)[1]) == {"device": "t", "note": '{"data": 1}', "kind": "GCM"}
    sent = lab.sns.publish(TargetArn=device["EndpointArn"], Message="nobody is there")
    assert json.loads(phones.push.get(timeout=60)[1])["note"] == "nobody is there"
    (event,) = (json.loads(message["Body"]) for message in lab.take(queue, 20))
    assert (event["EventType"], event["FailureType"]) == ("DeliveryFailure", "InvalidPlatformToken")
    assert event["MessageId"] == sent["MessageId"]
    assert lab.sns.get_endpoint_attributes(EndpointArn=device["EndpointArn"])["Attributes"]["Enabled"] == "false"
    assert code(lab.sns.publish, TargetArn=device["EndpointArn"], Message="x") == "EndpointDisabled"
    states = [one["Status"] for one in next(iter(shown(account, "/sns/push").values()))]
    assert states == ["FAILED", "DELIVERED"]
    (line,) = reports(account, 1)
    assert line["LogGroup"] == f"sns/us-east-1/{account.id}/app/GCM/app/Failure"
    assert line["delivery"]["statusCode"] == 410 and line["delivery"]["destination"] == device["EndpointArn"]
