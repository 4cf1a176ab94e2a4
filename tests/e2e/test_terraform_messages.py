"""Terraform's AWS provider over queues and topics: it applies, finds nothing left to change, and destroys."""

from __future__ import annotations

from pathlib import Path

from tests.cloud import Account
from tests.e2e.test_terraform import mirror
from tests.e2e.test_terraform_identities import over

__all__ = ["mirror"]
CONFIGURATION = Path(__file__).parent / "terraform" / "messages.tf"


def test_queues_and_topics_are_applied_kept_and_destroyed(account: Account, mirror: Path, tmp_path: Path) -> None:
    terraform = over(account, mirror, tmp_path, CONFIGURATION)
    terraform("init")
    terraform("apply", "-auto-approve")
    terraform("plan", "-detailed-exitcode")  # 2 when anything is left to change
    sns, sqs = account.client("sns"), account.client("sqs")
    topic = next(one["TopicArn"] for one in sns.list_topics()["Topics"] if one["TopicArn"].endswith(":orders"))
    queue = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
    for kind, size in (("order", "3"), ("order", "30"), ("return", "10"), ("other", "3")):
        attributes = {
            "kind": {"DataType": "String", "StringValue": kind},
            "size": {"DataType": "Number", "StringValue": size},
        }
        sns.publish(TopicArn=topic, Message=f"{kind} {size}", MessageAttributes=attributes)
    found: set[str] = set()
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages"):
        found |= {message["Body"] for message in messages}
    assert found == {"order 3", "return 10"}
    terraform("destroy", "-auto-approve")
    assert sns.list_topics()["Topics"] == [] and "QueueUrls" not in sqs.list_queues()
