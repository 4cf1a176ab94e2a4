"""What guests asked the resolver of their VPC."""

from __future__ import annotations

from agents.contract.base import Document


class Query(Document):
    """A question and its answer. `at` is in seconds since 1970, `answers` are values and types; `action`, `group` and
    `domain_list` say which rule of DNS Firewall decided, if one did."""

    vpc: str
    at: float
    name: str
    type: str
    rcode: str
    answers: tuple[tuple[str, str], ...] = ()
    address: str
    port: int
    transport: str
    instance: str | None = None
    action: str = ""
    group: str = ""
    domain_list: str = ""


class Queries(Document):
    """Questions in the order in which they were answered."""

    queries: tuple[Query, ...]
