"""Topics through boto3: what is published reaches queues and HTTP endpoints, signed, filtered and in order."""

from __future__ import annotations

import base64
import json
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from tests.cloud import Account

SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (*("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),),
}


class Lab:
    """Topics and queues of an account."""

    def __init__(self, account: Account) -> None:
        self.sns, self.sqs = account.client("sns"), account.client("sqs")

    def topic(self, *, fifo: bool = False, **attributes: str) -> str:
        more = {"FifoTopic": "true"} if fifo else {}
        name = f"t-{uuid.uuid4().hex[:10]}{'.fifo' if fifo else ''}"
        return str(self.sns.create_topic(Name=name, Attributes={**attributes, **more})["TopicArn"])

    def queue(self, topic: str | None = None, *, fifo: bool = False) -> tuple[str, str]:
        """URL and ARN of a queue that lets a topic in."""
        more = {"Attributes": {"FifoQueue": "true"}} if fifo else {}
        name = f"q-{uuid.uuid4().hex[:10]}{'.fifo' if fifo else ''}"
        url = self.sqs.create_queue(QueueName=name, **more)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        if topic is not None:
            statement = {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
            }
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return url, arn

    def subscribed(self, topic: str, *, fifo: bool = False, **attributes: str) -> tuple[str, str]:
        """URL of a subscribed queue, and the subscription's ARN."""
        url, arn = self.queue(topic, fifo=fifo)
        made = self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
        return url, str(made["SubscriptionArn"])

    def take(self, url: str, wait: int = 5) -> list[Any]:
        found = self.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=wait,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        return list(found.get("Messages", ()))


@pytest.fixture
def lab(account: Account) -> Lab:
    return Lab(account)


def verify(envelope: dict[str, Any]) -> None:
    """Check the signature by the certificate, as AWS's SDKs do. Raises InvalidSignature."""
    with urllib.request.urlopen(envelope["SigningCertURL"]) as answer:
        certificate = x509.load_pem_x509_certificate(answer.read())
    text = "".join(f"{name}\n{envelope[name]}\n" for name in SIGNED[envelope["Type"]] if name in envelope)
    digest = hashes.SHA1() if envelope["SignatureVersion"] == "1" else hashes.SHA256()
    key: Any = certificate.public_key()
    key.verify(base64.b64decode(envelope["Signature"]), text.encode(), padding.PKCS1v15(), digest)


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_queue_gets_a_signed_envelope(lab: Lab, version: str) -> None:
    topic = lab.topic(SignatureVersion=version)
    url, subscription = lab.subscribed(topic)
    attributes = {"a": {"DataType": "Binary", "BinaryValue": b"\x01"}}
    sent = lab.sns.publish(TopicArn=topic, Subject="hallo", Message='grün "☁"', MessageAttributes=attributes)
    (message,) = lab.take(url)
    envelope = json.loads(message["Body"])
    assert envelope["MessageId"] == sent["MessageId"] and envelope["Message"] == 'grün "☁"'
    assert envelope["MessageAttributes"] == {"a": {"Type": "Binary", "Value": "AQ=="}}
    assert envelope["UnsubscribeURL"].endswith(f"?Action=Unsubscribe&SubscriptionArn={subscription}")
    verify(envelope)


def test_raw_delivery_and_filters(lab: Lab) -> None:
    topic = lab.topic()
    raw, _ = lab.subscribed(topic, RawMessageDelivery="true")
    red, _ = lab.subscribed(topic, FilterPolicy='{"colour": ["red"]}')
    body, _ = lab.subscribed(topic, FilterPolicy='{"size": [{"numeric": [">", 3]}]}', FilterPolicyScope="MessageBody")
    colour = {"colour": {"DataType": "String", "StringValue": "red"}}
    lab.sns.publish(TopicArn=topic, Message='{"size": 5}')
    lab.sns.publish(TopicArn=topic, Message='{"size": 1}', MessageAttributes=colour)
    assert sorted(message["Body"] for message in lab.take(raw) + lab.take(raw, 1)) == ['{"size": 1}', '{"size": 5}']
    assert [json.loads(message["Body"])["Message"] for message in lab.take(red)] == ['{"size": 1}']
    assert [json.loads(message["Body"])["Message"] for message in lab.take(body)] == ['{"size": 5}']


def test_copies_in_two_raw_queues_have_ids_of_their_own_and_no_hole_is_published(lab: Lab) -> None:
    topic = lab.topic()
    queues = [lab.subscribed(topic, RawMessageDelivery="true")[0] for _ in range(2)]
    with pytest.raises(ClientError, match="Invalid character #x0"):
        lab.sns.publish(TopicArn=topic, Message='{"default": "a\\u0000b"}', MessageStructure="json")
    lab.sns.publish(TopicArn=topic, Message="x")
    first, second = (lab.take(url)[0] for url in queues)
    assert first["Body"] == second["Body"] == "x" and first["MessageId"] != second["MessageId"]


def test_the_queue_s_policy_decides_and_dead_letters_are_kept(lab: Lab) -> None:
    topic = lab.topic()
    closed, arn = lab.queue()
    dead, dead_arn = lab.queue(topic)
    policy = json.dumps({"deadLetterTargetArn": dead_arn})
    lab.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RedrivePolicy": policy})
    lab.sns.publish(TopicArn=topic, Message="no way in")
    assert json.loads(lab.take(dead)[0]["Body"])["Message"] == "no way in"
    assert not lab.take(closed, 0)


@pytest.mark.parametrize("number", [1, 4])
def test_what_happens_to_a_queue_counts_for_the_next_message(lab: Lab, number: int) -> None:
    """However few or many there are: what is known of queues is kept, but the write notices that it is old."""
    topic = lab.topic()
    queues = [lab.queue(topic) for _ in range(number + 1)]
    for _, arn in queues:
        attributes = {"RawMessageDelivery": "true"}
        lab.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    first, *others = [url for url, _ in queues]

    def heard(url: str) -> list[str]:
        found = lab.take(url, 2)
        for message in found:
            lab.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        assert len({message["MessageId"] for message in found}) == len(found)
        return [message["Body"] for message in found]

    for _ in range(3):  # each of the gateways learns what there is
        lab.sns.publish(TopicArn=topic, Message="one")
    assert all(heard(url) == ["one"] * 3 for url in (first, *others))
    lab.sqs.set_queue_attributes(QueueUrl=first, Attributes={"Policy": ""})
    lab.sns.publish(TopicArn=topic, Message="two")
    assert [heard(url) for url in (first, *others)] == [[], *[["two"]] * number]
    lab.sqs.delete_queue(QueueUrl=others[0])
    lab.sns.publish(TopicArn=topic, Message="three")
    assert [heard(url) for url in others[1:]] == [["three"]] * (number - 1)


def test_a_fifo_topic_keeps_order_and_knows_repeats(lab: Lab) -> None:
    topic = lab.topic(fifo=True)
    url, _ = lab.subscribed(topic, fifo=True, RawMessageDelivery="true")
    for n in range(5):
        entries = [
            {"Id": str(k), "Message": f"{n}-{k}", "MessageGroupId": "g", "MessageDeduplicationId": f"{n}-{k}"}
            for k in range(3)
        ]
        result = lab.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
        numbers = [int(entry["SequenceNumber"]) for entry in result["Successful"]]
        assert numbers == sorted(numbers) and len(numbers) == 3
    again = lab.sns.publish(TopicArn=topic, Message="x", MessageGroupId="g", MessageDeduplicationId="4-2")
    assert again["MessageId"] == result["Successful"][2]["MessageId"]
    found: list[str] = []
    while messages := lab.take(url, 1):
        found += [message["Body"] for message in messages]
        for message in messages:
            lab.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert found == [f"{n}-{k}" for n in range(5) for k in range(3)]
    with pytest.raises(ClientError, match="Invalid protocol type: email"):
        lab.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ann@example.com")


@contextmanager
def endpoint(*statuses: int, echo: bool = False) -> Iterator[tuple[str, Queue[tuple[dict[str, str], str]]]]:
    """An HTTP server that keeps what it is sent, and answers the statuses in turn, then 200. With `echo` it
    answers what it was sent."""
    heard: Queue[tuple[dict[str, str], str]] = Queue()
    left = list(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            heard.put(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(left.pop(0) if left else 200)
            answer = body.encode() if echo else b""
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook", heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_http_endpoint_confirms_gets_messages_and_leaves(lab: Lab) -> None:
    topic = lab.topic()
    retries = json.dumps({"healthyRetryPolicy": {"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 2}})
    with endpoint(200, 503) as (url, heard):
        made = lab.sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url, Attributes={"DeliveryPolicy": retries})
        assert made["SubscriptionArn"] == "pending confirmation"
        headers, body = heard.get(timeout=60)
        question = json.loads(body)
        assert headers["x-amz-sns-message-type"] == question["Type"] == "SubscriptionConfirmation"
        verify(question)
        lab.sns.publish(TopicArn=topic, Message="too early")
        urllib.request.urlopen(question["SubscribeURL"]).close()
        (subscription,) = lab.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        lab.sns.publish(TopicArn=topic, Message="hallo")
        first, second = heard.get(timeout=60)[1], heard.get(timeout=60)[1]
        assert first == second, "it is tried again after a 503"
        envelope = json.loads(first)
        assert envelope["Message"] == "hallo"
        verify(envelope)
        urllib.request.urlopen(envelope["UnsubscribeURL"]).close()
        assert json.loads(heard.get(timeout=60)[1])["Type"] == "UnsubscribeConfirmation"
        assert not lab.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert subscription["SubscriptionArn"] in envelope["UnsubscribeURL"]


def test_a_text_message_lies_in_the_outbox(lab: Lab, account: Account) -> None:
    lab.sns.publish(PhoneNumber="+34123456789", Message="hola")
    with pytest.raises(ClientError, match="not valid to publish to"):
        lab.sns.publish(PhoneNumber="+1a234", Message="hola")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{account.endpoint}/_celaje/sns/sms")
    assert refused.value.code == 403
    (message,) = shown(account, "/sns/sms")["Messages"]
    assert (message["Message"], message["Status"]) == ("hola", "STORED")


def shown(account: Account, path: str) -> Any:
    """What an own path of the cloud answers to an account."""
    request = AWSRequest("GET", f"{account.endpoint}/_celaje{path}")
    SigV4Auth(Credentials(account.access_key_id, account.secret_access_key), "sns", "us-east-1").add_auth(request)
    with urllib.request.urlopen(urllib.request.Request(request.url, headers=dict(request.headers.items()))) as answer:
        return json.load(answer)
