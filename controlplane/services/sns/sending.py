"""Sending to one endpoint: over HTTP, by mail, as a text message, to another service."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx
import orjson

from controlplane.core.errors import AwsError
from controlplane.fleet.outbound import Outbound
from controlplane.services.sns import events, platforms, sms
from controlplane.services.sns.messages import timestamp
from controlplane.services.sns.subscriptions import Subscription
from controlplane.services.sns.topics import Topic
from controlplane.work.reconciler import Run

SERVICE = "sns.amazonaws.com"
SECONDS = 15.0
_AGENT = "Amazon Simple Notification Service Agent"
_SLOW_DOWN = 429
_SHOWN = 500
_PORTS = {"http": 80, "https": 443}


class Failed(Exception):
    """It did not arrive. With `final` no further attempt is worth while. `status` and `text` are the endpoint's."""

    def __init__(self, reason: str, *, final: bool = False, status: int = 0, text: str = "") -> None:
        super().__init__(reason)
        self.final = final
        self.status = status
        self.text = text or reason


async def over_http(
    outbound: Outbound, endpoint: str, content: Mapping[str, Any], headers: Mapping[str, str]
) -> tuple[int, str]:
    """POST to an address of a subscriber and answer its status and text: no redirects, no address of this cloud's
    hosts, only certificates that this host trusts, 15 seconds. Raises Failed."""
    try:
        async with asyncio.timeout(SECONDS):
            target = httpx.URL(endpoint)
            address = await outbound.resolve(target.host, target.port or _PORTS[target.scheme])
            secret = target.userinfo.decode()
            user, _, password = secret.partition(":")
            async with (
                httpx.AsyncClient(
                    follow_redirects=False, trust_env=False, timeout=SECONDS, verify=ssl.create_default_context()
                ) as client,
                client.stream(
                    "POST",
                    target.copy_with(host=address, userinfo=b""),
                    content=content["body"].encode(),
                    headers={"host": target.netloc.decode().rpartition("@")[2], "user-agent": _AGENT, **headers},
                    auth=(user, password) if secret else None,
                    extensions={"sni_hostname": target.host},
                ) as answer,
            ):
                status, text = answer.status_code, await _beginning(answer)
    except (OSError, TimeoutError, ValueError, KeyError, httpx.HTTPError, httpx.InvalidURL) as error:
        raise Failed(str(error) or type(error).__name__) from error
    if not 200 <= status < 500 or status == _SLOW_DOWN:
        raise Failed(f"status {status}", status=status, text=text)
    if status >= 300:
        raise Failed(f"status {status}", final=True, status=status, text=text)
    return status, text


async def _beginning(answer: httpx.Response) -> str:
    """The first of what an endpoint says."""
    body = b""
    async for part in answer.aiter_raw():
        body += part
        if len(body) >= _SHOWN:
            break
    return body[:_SHOWN].decode("utf-8", "replace")


def headers_of(
    content: Mapping[str, Any], topic: Topic, subscription_arn: str, kind: str, *, raw: bool
) -> dict[str, str]:
    """What a POST of SNS has. Messages that are told raw have no envelope to say what they are."""
    headers = {
        "content-type": kind,
        "x-amz-sns-message-type": content["type"],
        "x-amz-sns-message-id": content["id"],
        "x-amz-sns-topic-arn": topic.arn,
    }
    if content["type"] != "SubscriptionConfirmation":
        headers["x-amz-sns-subscription-arn"] = subscription_arn
    return {**headers, "x-amz-sns-rawdelivery": "true"} if raw else headers


async def by_mail(run: Run, topic: Topic, protocol: str, endpoint: str, content: Mapping[str, Any]) -> None:
    """Hand a mail to SES. Raises Failed."""
    name = (topic.own.get("DisplayName") or "AWS Notifications").replace('"', "'").replace("\\", "")
    if content["type"] == "Notification":
        subject = content.get("subject") or "AWS Notification Message"
        text = content["text"]
    else:
        subject = "AWS Notification - Subscription Confirmation"
        text = f"{content['text']}\n\n{content.get('url', '')}\n"
    body = orjson.dumps(orjson.loads(content["body"])).decode() if protocol == "email-json" else text
    request = {
        "Source": f'"{name}" <no-reply@sns.amazonaws.com>',
        "To": endpoint,
        "Subject": subject,
        "Text": body,
    }
    await _ask(run, topic, "ses", "Mail", request)


async def as_text(run: Run, topic: Topic, number: str, content: Mapping[str, Any]) -> None:
    """Hand a text message to the outbox, unless its phone has opted out."""
    async with run.step() as db:
        ctx = run.acting(db, SERVICE, topic.arn)
        if not await sms.is_opted_out(db, topic.account_id, topic.region, number):
            await sms.put(ctx, uuid4(), number, content["text"], {})


async def to_device(run: Run, topic: Topic, endpoint_arn: str, content: Mapping[str, Any]) -> None:
    """Hand a message for a device to the outbox. Raises Failed."""
    async with run.step() as db:
        ctx = run.acting(db, SERVICE, topic.arn)
        endpoint = await platforms.find_endpoint(ctx, endpoint_arn)
        if endpoint is None or endpoint_arn.split(":")[4] != topic.account_id:
            raise Failed("the endpoint is not there", final=True)
        text, at, via = content["text"], content.get("at") or timestamp(), content.get("via") or ""
        is_event = bool(content.get("event"))
        try:
            await platforms.put(ctx, endpoint, content["id"], uuid4(), text, at, via, is_event=is_event)
            return
        except AwsError as error:
            refusal = error
            facts = {"FailureType": error.code, "FailureMessage": error.message, "MessageId": content["id"]}
            if not is_event:
                await events.tell(ctx, endpoint, events.FAILED, via, **facts)
    raise Failed(f"{refusal.code}: {refusal.message}", final=True)


async def to_service(run: Run, topic: Topic, subscription: Subscription, content: Mapping[str, Any]) -> None:
    """Hand a message to Lambda or Firehose. Raises Failed."""
    if subscription.protocol == "lambda":
        record = {
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription.arn,
            "Sns": orjson.loads(content["body"]),
        }
        operation = "Invoke"
        request: dict[str, Any] = {
            "FunctionName": subscription.endpoint,
            "InvocationType": "Event",
            "Payload": orjson.dumps({"Records": [record]}),
        }
    else:
        operation = "PutRecord"
        name = subscription.endpoint.rpartition("/")[2]
        request = {"DeliveryStreamName": name, "Record": {"Data": content["body"].encode()}}
    try:
        async with run.step() as db:
            await run.acting(db, SERVICE, topic.arn).call(subscription.protocol, operation, request)
    except AwsError as error:
        raise Failed(f"{error.code}: {error.message}", final=error.status < 500 or error.status == 501) from error


async def _ask(run: Run, topic: Topic, service: str, name: str, request: Mapping[str, Any]) -> None:
    try:
        async with run.step() as db:
            await run.acting(db, SERVICE, topic.arn).ask(service, name, request)
    except AwsError as error:
        raise Failed(f"{error.code}: {error.message}", final=error.status < 500 or error.status == 501) from error
