"""How often and at what distance a delivery over HTTP is tried again.

Source: "Amazon SNS message delivery retries" in the SNS developer guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from controlplane.services.sns.errors import InvalidParameter

RETRIES: dict[str, Any] = {
    "minDelayTarget": 20,
    "maxDelayTarget": 20,
    "numRetries": 3,
    "numMaxDelayRetries": 0,
    "numNoDelayRetries": 0,
    "numMinDelayRetries": 0,
    "backoffFunction": "linear",
}
CONTENT_TYPE = "text/plain; charset=UTF-8"
_BACKOFFS = ("arithmetic", "exponential", "geometric", "linear")
_CONTENT_TYPES = frozenset(
    {
        "application/atom+xml",
        "application/json",
        "application/octet-stream",
        "application/soap+xml",
        "application/x-www-form-urlencoded",
        "application/xhtml+xml",
        "application/xml",
        "text/css",
        "text/csv",
        "text/html",
        "text/plain",
        "text/xml",
    }
)
_LONGEST = 3600
_MOST_RETRIES = 100


@dataclass(frozen=True, slots=True)
class Retries:
    """What a subscription's deliveries go by."""

    delays: tuple[float, ...]
    """Seconds before each further attempt."""
    content_type: str


def check_topic(text: str) -> str:
    """A topic's policy as it is kept. Raises InvalidParameter."""
    http = _object("DeliveryPolicy", text).get("http")
    if not isinstance(http, dict):
        raise InvalidParameter("DeliveryPolicy: http must be an object")
    retries = http.get("defaultHealthyRetryPolicy")
    kept: dict[str, Any] = {}
    if retries is not None:
        kept["defaultHealthyRetryPolicy"] = _check_retries(retries, "")
    kept["disableSubscriptionOverrides"] = bool(http.get("disableSubscriptionOverrides", False))
    if http.get("defaultThrottlePolicy") is not None:
        kept["defaultThrottlePolicy"] = _check_throttle(http["defaultThrottlePolicy"], "")
    if http.get("defaultRequestPolicy") is not None:
        kept["defaultRequestPolicy"] = _check_request(http["defaultRequestPolicy"], "")
    return orjson.dumps({"http": kept}).decode()


def check_subscription(text: str, prefix: str) -> None:
    """Refuse what is no policy of a subscription. Raises InvalidParameter."""
    policy = _object(f"{prefix}DeliveryPolicy", text)
    if policy.get("healthyRetryPolicy") is not None:
        _check_retries(policy["healthyRetryPolicy"], prefix)
    if policy.get("throttlePolicy") is not None:
        _check_throttle(policy["throttlePolicy"], prefix)
    if policy.get("requestPolicy") is not None:
        _check_request(policy["requestPolicy"], prefix)


def _object(name: str, text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidParameter(f"{name}: failed to parse JSON") from error
    if not isinstance(found, dict):
        raise InvalidParameter(f"{name}: must be a JSON object")
    return found


def _check_retries(given: Any, prefix: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise InvalidParameter(f"{prefix}DeliveryPolicy: the retry policy must be an object")
    policy = RETRIES | {name: value for name, value in given.items() if value is not None}
    numbers = {name: value for name, value in policy.items() if name in RETRIES and name != "backoffFunction"}
    for name, value in numbers.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise InvalidParameter(f"{prefix}DeliveryPolicy: {name} must be a non-negative integer")
    if not 1 <= policy["minDelayTarget"] <= policy["maxDelayTarget"] <= _LONGEST:
        raise InvalidParameter(f"{prefix}DeliveryPolicy: maxDelayTarget must be between minDelayTarget and {_LONGEST}")
    phases = policy["numNoDelayRetries"] + policy["numMinDelayRetries"] + policy["numMaxDelayRetries"]
    if policy["numRetries"] > _MOST_RETRIES or phases > policy["numRetries"]:
        raise InvalidParameter(f"{prefix}DeliveryPolicy: numRetries must be between the retries of all phases and 100")
    if policy["backoffFunction"] not in _BACKOFFS:
        raise InvalidParameter(f"{prefix}DeliveryPolicy: backoffFunction must be one of {', '.join(_BACKOFFS)}")
    return dict(given)


def _check_throttle(given: Any, prefix: str) -> dict[str, Any]:
    rate = given.get("maxReceivesPerSecond") if isinstance(given, dict) else 0
    if rate is not None and (not isinstance(rate, int) or rate < 1):
        raise InvalidParameter(f"{prefix}DeliveryPolicy: maxReceivesPerSecond must be at least 1")
    return dict(given)


def _check_request(given: Any, prefix: str) -> dict[str, Any]:
    kind = given.get("headerContentType") if isinstance(given, dict) else 0
    if kind is not None and (not isinstance(kind, str) or kind.partition(";")[0].strip() not in _CONTENT_TYPES):
        raise InvalidParameter(f"{prefix}DeliveryPolicy: headerContentType is not supported")
    return dict(given)


def effective(topic: Mapping[str, str]) -> str:
    """The policy of a topic with all defaults, as JSON."""
    http = _http(topic)
    whole = {
        "defaultHealthyRetryPolicy": RETRIES | _given(http.get("defaultHealthyRetryPolicy")),
        "disableSubscriptionOverrides": http.get("disableSubscriptionOverrides", False),
        **({"defaultThrottlePolicy": http["defaultThrottlePolicy"]} if "defaultThrottlePolicy" in http else {}),
        "defaultRequestPolicy": {"headerContentType": CONTENT_TYPE} | _given(http.get("defaultRequestPolicy")),
    }
    return orjson.dumps({"http": whole}).decode()


def shown(subscription: Mapping[str, str]) -> str | None:
    """The policy that a subscription was given, in the form in which it is told."""
    text = subscription.get("DeliveryPolicy")
    if not text:
        return None
    own = orjson.loads(text)
    retries = own.get("healthyRetryPolicy")
    return orjson.dumps(
        {
            "healthyRetryPolicy": RETRIES | _given(retries) if retries else None,
            "sicklyRetryPolicy": None,
            "throttlePolicy": own.get("throttlePolicy"),
            "requestPolicy": own.get("requestPolicy"),
            "guaranteed": False,
        }
    ).decode()


def effective_of(subscription: Mapping[str, str], topic: Mapping[str, str]) -> str:
    """The policy that a subscription's deliveries go by, as JSON."""
    http, own = _http(topic), _own(subscription, topic)
    retries = RETRIES | _given(http.get("defaultHealthyRetryPolicy")) | _given(own.get("healthyRetryPolicy"))
    request = {"headerContentType": CONTENT_TYPE} | _given(http.get("defaultRequestPolicy"))
    return orjson.dumps(
        {
            "healthyRetryPolicy": retries,
            "sicklyRetryPolicy": None,
            "throttlePolicy": own.get("throttlePolicy") or http.get("defaultThrottlePolicy"),
            "requestPolicy": request | _given(own.get("requestPolicy")),
            "guaranteed": False,
        }
    ).decode()


def retries(subscription: Mapping[str, str], topic: Mapping[str, str]) -> Retries:
    """The same as delays and headers."""
    policy = orjson.loads(effective_of(subscription, topic))
    return Retries(tuple(_delays(policy["healthyRetryPolicy"])), policy["requestPolicy"]["headerContentType"])


def _http(topic: Mapping[str, str]) -> dict[str, Any]:
    text = topic.get("DeliveryPolicy")
    return dict(orjson.loads(text)["http"]) if text else {}


def _own(subscription: Mapping[str, str], topic: Mapping[str, str]) -> dict[str, Any]:
    text = subscription.get("DeliveryPolicy")
    if not text or _http(topic).get("disableSubscriptionOverrides"):
        return {}
    return dict(orjson.loads(text))


def _given(policy: Any) -> dict[str, Any]:
    return {name: value for name, value in (policy or {}).items() if value is not None}


def _delays(policy: Mapping[str, Any]) -> list[float]:
    """At once, then at the shortest distance, then growing from that to the longest, then at the longest."""
    low, high = float(policy["minDelayTarget"]), float(policy["maxDelayTarget"])
    fixed = policy["numNoDelayRetries"] + policy["numMinDelayRetries"] + policy["numMaxDelayRetries"]
    steps = max(0, policy["numRetries"] - fixed)
    growing = [_backoff(policy["backoffFunction"], low, high, n, steps) for n in range(1, steps + 1)]
    return [
        *[0.0] * policy["numNoDelayRetries"],
        *[low] * policy["numMinDelayRetries"],
        *growing,
        *[high] * policy["numMaxDelayRetries"],
    ]


def _backoff(function: str, low: float, high: float, n: int, steps: int) -> float:
    part = n / steps
    if function == "arithmetic":
        part = n * (n + 1) / (steps * (steps + 1))
    elif function == "exponential":
        part = (2**n - 1) / (2**steps - 1)
    elif function == "geometric":
        return float(low * (high / low) ** part)
    return low + (high - low) * part
