"""What a request says of itself without its parameters: the credential scope and the host it was sent to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from controlplane.core.http import HttpRequest
from controlplane.wire.index import Index
from controlplane.wire.paths import BadEscape, unescape

_NAME = "Credential="
# Bounded, and tried at one place only: the text is whatever a caller sends.
_CREDENTIAL = re.compile(r"Credential=[^/,\s]{1,256}/\d{8}/(?:([^/,\s]{0,64})/)?([^/,\s]{1,64})/aws4_request")
_PRESIGNED = re.compile(rb"(?:^|&)X-Amz-Credential=([^&]*)")
_WEBSITE = re.compile(r"s3-website(-[a-z]{2}(-[a-z]+)+-\d)?")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_NAMED = re.compile(r"((?:[a-z0-9][a-z0-9-]*\.)+[a-z][a-z0-9-]*)\.?(?::\d{1,5})?", re.IGNORECASE | re.ASCII)
_LONGEST_HOST = 80
"""Longer than any name of a bucket with a port."""
_OF_CLIENTS = ("x-amz-", "amz-sdk-", "smithy-protocol")
_SIGNED = re.compile(rb"(?:^|&)(?:X-Amz-|AWSAccessKeyId=)", re.IGNORECASE)
_ACTION = re.compile(rb"(?:^|&)Action=([A-Za-z0-9]{1,100})(?:&|$)")
_ADDRESS = re.compile(r"[\d.]+|\[.*\]?|.*:.*:.*")


class CredentialScope(NamedTuple):
    """Region and service that a request was signed for; the region is None for SigV4A, which has none."""

    region: str | None
    service: str


class HostFacts(NamedTuple):
    """What the host name tells: an endpoint prefix (`sqs`, `runtime.lex`), a region, a bucket."""

    prefix: str | None = None
    region: str | None = None
    bucket: str | None = None
    website: bool = False
    """Whether the bucket is addressed as a website: `bucket.s3-website.<any>`."""


def credential_scope(request: HttpRequest) -> CredentialScope | None:
    """The scope from the Authorization header or from a presigned query string; None for unsigned requests."""
    header = request.headers.get("authorization")
    if header is not None:
        match = _CREDENTIAL.match(header, max(header.find(_NAME), 0))
        if match:
            return CredentialScope(match[1] or None, match[2])
        # Signature version 2, which only S3's older clients still speak.
        return CredentialScope(None, "s3") if header.startswith("AWS ") else None
    query = request.query_string
    if b"X-Amz-Credential=" in query:
        found = _PRESIGNED.search(query)
        try:
            match = _CREDENTIAL.fullmatch(_NAME + unescape(found[1].decode("latin-1"))) if found else None
        except BadEscape:
            return None
        return CredentialScope(match[1] or None, match[2]) if match else None
    return CredentialScope(None, "s3") if b"AWSAccessKeyId=" in query and b"Signature=" in query else None


def host_facts(host: str, index: Index, endpoint_hosts: Sequence[str]) -> HostFacts:
    """Take a Host header apart: `sqs.eu-west-1.<any>`, `bucket.s3.<any>`, `bucket.<endpoint host>`."""
    take_apart = _host_facts if len(host) <= _LONGEST_HOST else _host_facts.__wrapped__
    return take_apart(host, index, tuple(endpoint_hosts))


@lru_cache(maxsize=1024)
def _host_facts(host: str, index: Index, endpoint_hosts: tuple[str, ...]) -> HostFacts:
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    if "." not in name or _ADDRESS.fullmatch(name) or name.lower() in endpoint_hosts:
        return HostFacts()
    labels = name.lower().split(".")[:24]
    if site := next((place for place, label in enumerate(labels) if _WEBSITE.fullmatch(label)), 0):
        suffix = labels[site].removeprefix("s3-website-")
        region = next((label for label in (suffix, *labels[site + 1 :]) if _REGION.fullmatch(label)), None)
        return HostFacts(None, region, ".".join(labels[:site]), website=True)
    s3 = _s3_label(labels)
    if s3 is not None:
        region = next((label for label in labels[s3:] if _REGION.fullmatch(label)), None)
        return HostFacts("s3", region, ".".join(name.split(".")[:s3]) or None)
    # Some operations put a label before the endpoint, such as S3 Control's account id.
    for start, end in ((0, 3), (0, 2), (0, 1), (1, 4), (1, 3), (1, 2)):
        prefix = ".".join(labels[start:end])
        if prefix in index.by_endpoint_prefix and len(labels) > end:
            region = labels[end] if _REGION.fullmatch(labels[end]) else None
            return HostFacts(prefix, region)
    for endpoint in endpoint_hosts:
        if name.lower().endswith(f".{endpoint}"):
            return HostFacts(bucket=name[: -len(endpoint) - 1])
    return HostFacts()


def foreign_host(request: HttpRequest, index: Index, own: Sequence[str]) -> str | None:
    """The `foreign_name` that a page is asked for.

    None for all that may be a call of an API: signed, not GET or HEAD, with headers that browsers do not send, or with
    an action.
    """
    if request.method not in ("GET", "HEAD") or "authorization" in request.headers:
        return None
    name = foreign_name(request.headers.get("host", ""), index, own)
    if name is None or _SIGNED.search(request.query_string):
        return None
    if any(header.startswith(_OF_CLIENTS) for header in request.headers):
        return None
    action = _ACTION.search(request.query_string)
    return None if action is not None and index.by_action(action[1].decode(), None) else name


def foreign_name(host: str, index: Index, own: Sequence[str]) -> str | None:
    """A Host header's name in small letters and without port and last dot; None where it is an address or one of the
    names `own` or below one of them, and where its form names a service or a region of AWS's."""
    found = _NAMED.fullmatch(host) if len(host) <= _LONGEST_HOST else None
    if found is None:
        return None
    name = found[1].lower()
    if any(name == each or name.endswith(f".{each}") for each in own):
        return None
    facts = host_facts(name, index, ())
    return name if not (facts.website or facts.region or facts.prefix == "s3") else None


def _s3_label(labels: list[str]) -> int | None:
    for position in range(len(labels) - 2, -1, -1):
        if labels[position] == "s3" or labels[position].startswith("s3express-"):
            return position
    return None
