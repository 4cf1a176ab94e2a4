"""What browsers are told about requests of pages from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from controlplane.core.context import Context

_VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"


def answer(ctx: Context, rules: Sequence[Mapping[str, Any]] | None) -> None:
    """Add to the answer of a request with an origin what the bucket's rules allow."""
    method = ctx.headers.get("access-control-request-method") or _METHODS.get(ctx.operation, "GET")
    asked = names_of(ctx.headers.get("access-control-request-headers"))
    ctx.answer_headers.update(headers(rules, ctx.headers["origin"], method, asked))


def names_of(text: str | None) -> list[str]:
    """The names in a list of headers."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


# What a rule's method is compared with; all else is a GET.
_METHODS = {
    "PutObject": "PUT", "CopyObject": "PUT", "UploadPart": "PUT", "UploadPartCopy": "PUT", "DeleteObject": "DELETE",
    "HeadObject": "HEAD", "HeadBucket": "HEAD", "PostObject": "POST", "DeleteObjects": "POST",
    "CreateMultipartUpload": "POST", "CompleteMultipartUpload": "POST", "AbortMultipartUpload": "DELETE",
}  # fmt: skip


def headers(
    rules: Sequence[Mapping[str, Any]] | None, origin: str, method: str, asked: Sequence[str]
) -> dict[str, str]:
    """The headers for an origin and a method, and for what a browser asks to send; empty where no rule fits."""
    for rule in rules or ():
        if method not in rule["AllowedMethods"]:
            continue
        if not any(_fits(pattern, origin) for pattern in rule["AllowedOrigins"]):
            continue
        allowed = [pattern.lower() for pattern in rule.get("AllowedHeaders") or ()]
        if not all(any(_fits(pattern, name.lower()) for pattern in allowed) for name in asked):
            continue
        return _told(rule, origin, asked)
    return {}


def _told(rule: Mapping[str, Any], origin: str, asked: Sequence[str]) -> dict[str, str]:
    everybody = "*" in rule["AllowedOrigins"]
    told = {
        "Access-Control-Allow-Origin": "*" if everybody else origin,
        "Access-Control-Allow-Methods": ", ".join(rule["AllowedMethods"]),
        "Vary": _VARY,
    }
    if not everybody:
        told["Access-Control-Allow-Credentials"] = "true"
    if asked:
        told["Access-Control-Allow-Headers"] = ", ".join(name.lower() for name in asked)
    if rule.get("ExposeHeaders"):
        told["Access-Control-Expose-Headers"] = ", ".join(rule["ExposeHeaders"])
    if rule.get("MaxAgeSeconds") is not None:
        told["Access-Control-Max-Age"] = str(rule["MaxAgeSeconds"])
    return told


def _fits(pattern: str, text: str) -> bool:
    """One star at most stands for anything."""
    head, star, tail = pattern.partition("*")
    if not star:
        return pattern == text
    return len(text) >= len(head) + len(tail) and text.startswith(head) and text.endswith(tail)
