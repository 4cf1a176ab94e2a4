"""What is logged of deliveries, and where HTTP subscriptions may not lead."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud import Account, Cloud
from tests.services.budgets.conftest import in_database
from tests.services.iam.conftest import allow, document, trust
from tests.services.sns.test_endpoints import confirmed
from tests.services.sns.test_topics import Lab, endpoint, lab

__all__ = ["lab"]

_AGE_THE_FIRST_OF_TWO = """
WITH waiting AS (SELECT id FROM sns_delivery_reports WHERE account_id = $1)
UPDATE sns_delivery_reports SET created_at = created_at - interval '25 hours'
WHERE id = (SELECT min(id) FROM waiting) AND (SELECT count(*) FROM waiting) = 2 RETURNING id
"""


def log_role(account: Account, *actions: str) -> str:
    """A role with which SNS writes delivery status."""
    iam, name = account.client("iam"), f"r-{uuid.uuid4().hex[:8]}"
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"Service": "sns.amazonaws.com"}))
    needed = list(actions) or ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    iam.put_role_policy(RoleName=name, PolicyName="logs", PolicyDocument=document(allow(needed)))
    return str(made["Role"]["Arn"])


def logged(account: Account) -> list[dict[str, Any]]:
    """All lines of delivery status, oldest first, each with its group."""
    logs = account.client("logs")
    found = []
    for group in logs.describe_log_groups(logGroupNamePrefix="sns/")["logGroups"]:
        name = group["logGroupName"]
        for event in logs.filter_log_events(logGroupName=name)["events"]:
            found.append((event["timestamp"], {"LogGroup": name, **json.loads(event["message"])}))
    return [line for _, line in sorted(found, key=lambda item: item[0])]


def reports(account: Account, number: int) -> list[dict[str, Any]]:
    """The lines, once there are so many."""
    deadline = time.monotonic() + 60
    while len(found := logged(account)) < number:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found


def test_a_topic_s_deliveries_are_logged_where_it_asks_for_it(lab: Lab, account: Account) -> None:
    role = log_role(account)
    wanted = {f"{prefix}SuccessFeedbackRoleArn": role for prefix in ("SQS", "HTTP")}
    wanted |= {f"{prefix}FailureFeedbackRoleArn": role for prefix in ("SQS", "HTTP")}
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


def test_a_role_that_may_not_write_loses_lines_and_delays_nobody(lab: Lab, account: Account, cloud: Cloud) -> None:
    foreign = log_role(cloud.new_account())
    for role in (log_role(account, "logs:PutLogEvents"), foreign, f"arn:aws:iam::{account.id}:role/none"):
        topic = lab.topic(SQSSuccessFeedbackRoleArn=role, SQSSuccessFeedbackSampleRate="100")
        lab.subscribed(topic)
        lab.sns.publish(TopicArn=topic, Message="lost")
    topic = lab.topic(SQSSuccessFeedbackRoleArn=log_role(account), SQSSuccessFeedbackSampleRate="100")
    lab.subscribed(topic)
    lab.sns.publish(TopicArn=topic, Message="kept")
    (line,) = reports(account, 1)
    assert line["notification"]["topicArn"] == topic
    assert line["LogGroup"] == f"sns/us-east-1/{account.id}/{topic.rpartition(':')[2]}"


def test_what_has_waited_for_a_day_is_written_beside_what_is_new(lab: Lab, account: Account, cloud: Cloud) -> None:
    topic = lab.topic(SQSSuccessFeedbackRoleArn=log_role(account), SQSSuccessFeedbackSampleRate="100")
    lab.subscribed(topic)
    published = 0
    while True:  # until both lines still wait when the first is aged
        for _ in range(2):
            lab.sns.publish(TopicArn=topic, Message="x")
        published += 2
        if in_database(cloud, _AGE_THE_FIRST_OF_TWO, account.id):
            break
        assert published < 40
        reports(account, published)
    lines = reports(account, published)
    assert len(lines) == published


@pytest.mark.parametrize("host", ["127.0.0.2", "169.254.169.254", "[::1]", "[::ffff:127.0.0.2]", "0.0.0.0"])
def test_a_subscription_leads_to_no_address_of_the_cloud(lab: Lab, account: Account, host: str) -> None:
    topic = lab.topic()
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
    topic = lab.topic(HTTPFailureFeedbackRoleArn=log_role(account))
    with endpoint(200, 302) as (url, heard):
        confirmed(lab, topic, url, heard)
        lab.sns.publish(TopicArn=topic, Message="go elsewhere")
        (line,) = reports(account, 1)
    assert line["delivery"]["statusCode"] == 302 and line["status"] == "FAILURE"
    assert heard.qsize() == 1
