"""Whom a budget tells: a topic that lets it publish, and people by mail."""

from __future__ import annotations

import json
from datetime import timedelta
from email import message_from_string
from typing import Any

from tests.cloud import Account, Cloud
from tests.services.budgets.conftest import NOW, in_database, make_budget, used
from tests.services.ses.test_mail import mailbox


def topic_with_queue(account: Account, *, open_to_budgets: bool) -> tuple[str, str]:
    """ARN of a topic, and the URL of a queue that gets its messages."""
    sqs, sns = account.client("sqs"), account.client("sns")
    queue = sqs.create_queue(QueueName="alerts")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    sqs.set_queue_attributes(
        QueueUrl=queue, Attributes={"Policy": policy("sns.amazonaws.com", "sqs:SendMessage", arn, topic)}
    )
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    if open_to_budgets:
        source = f"arn:aws:budgets::{account.id}:*"
        sns.set_topic_attributes(
            TopicArn=topic,
            AttributeName="Policy",
            AttributeValue=policy("budgets.amazonaws.com", "SNS:Publish", topic, source),
        )
    return topic, queue


def policy(service: str, action: str, resource: str, source: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": action,
        "Resource": resource,
        "Condition": {"ArnLike": {"aws:SourceArn": source}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_subscribers_are_told_as_far_as_they_let_it(account: Account, cloud: Cloud) -> None:
    other = cloud.new_account()
    topic, queue = topic_with_queue(account, open_to_budgets=True)
    closed, closed_queue = topic_with_queue(other, open_to_budgets=False)
    foreign, _ = topic_with_queue(cloud.new_account(), open_to_budgets=True)  # to those of its own account
    used(cloud, account, 100, NOW - timedelta(minutes=1))
    client = make_budget(account)
    client.create_notification(
        AccountId=account.id,
        BudgetName="class",
        Notification={"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80},
        Subscribers=[
            {"SubscriptionType": "EMAIL", "Address": "teacher@example.com"},
            {"SubscriptionType": "SNS", "Address": topic},
        ],
    )
    for threshold, address in ((81, closed), (82, foreign)):
        client.create_notification(
            AccountId=account.id,
            BudgetName="class",
            Notification={"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": threshold},
            Subscribers=[{"SubscriptionType": "SNS", "Address": address}],
        )
    sqs = account.client("sqs")
    received: list[Any] = []

    def has_come() -> bool:
        received.extend(sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2).get("Messages", []))
        return bool(received) and bool(mailbox(account))

    cloud.wait_until(has_come, 60)
    told = json.loads(received[0]["Body"])
    assert told["Subject"] == "AWS Budgets: class has exceeded your alert threshold"
    assert "Budget name: class" in told["Message"]
    (mail,) = mailbox(account)
    parsed = message_from_string(mail["RawData"])
    assert (parsed["To"], parsed["Subject"]) == ("teacher@example.com", told["Subject"])
    assert "costalerts" in parsed["From"]

    refused = "SELECT address, failure FROM budgets_messages WHERE account_id = $1 AND sent_at IS NULL"
    cloud.wait_until(lambda: all(row["failure"] for row in in_database(cloud, refused, account.id)), 60)
    assert {row["address"]: row["failure"] for row in in_database(cloud, refused, account.id)} == {
        closed: "AuthorizationError",
        foreign: "AuthorizationError",
    }
    assert "Messages" not in other.client("sqs").receive_message(QueueUrl=closed_queue)
