"""Sending to one endpoint: over HTTP, by mail, as a text message, to another service."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from controlplane.core.errors import AwsError
from controlplane.services.sns.subscriptions import Subscription
from controlplane.services.sns.topics import Topic
from controlplane.work.reconciler import Run

SERVICE = "sns.amazonaws.com"
SECONDS = 15.0
_AGENT = "Amazon Simple Notification Service Agent"
_SLOW_DOWN = 429


class Failed(Exception):
    """It did not arrive. With `final` no further attempt is worth while."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


async def over_http(endpoint: str, content: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    """POST to an address of a subscriber: no redirects, no link-local address, 15 seconds. Raises Failed."""
    try:
        async with asyncio.timeout(SECONDS):
            target = httpx.URL(endpoint)
            address = await _resolved(endpoint)
            secret = target.userinfo.decode()
            user, _, password = secret.partition(":")
            async with (
                httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=SECONDS) as client,
                client.stream(
                    "POST",
                    target.copy_with(host=address, userinfo=b""),
                    content=content["body"].encode(),
                    headers={"host": target.netloc.decode().rpartition("@")[2], "user-agent": _AGENT, **headers},
                    auth=(user, password) if secret else None,
                    extensions={"sni_hostname": target.host},
                ) as answer,
            ):
                status = answer.status_code
    except (OSError, TimeoutError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
        raise Failed(repr(error)) from error
    if not 200 <= status < 500 or status == _SLOW_DOWN:
        raise Failed(f"status {status}")
    if status >= 300:
        raise Failed(f"status {status}", final=True)


async def _resolved(endpoint: str) -> str:
    """One address of the host, looked up once so that it cannot change between check and use."""
    parts = urlsplit(endpoint)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    address = str(found[0][4][0])
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if parsed.is_link_local or parsed.is_multicast or parsed.is_unspecified:
        raise ValueError("an address that no subscriber has")
    return address


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
