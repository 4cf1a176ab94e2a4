"""Which service, protocol and operation a request means, found before any parameter is read.

In this order: the RPC v2 CBOR path, `X-Amz-Target`, the credential scope, the host name, a query action, the path. What
names no service at all is S3's, where a path without a signature is the address of a public object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from controlplane.core.errors import AwsError
from controlplane.core.http import HttpRequest
from controlplane.wire import wording
from controlplane.wire.errors import Malformed, Unroutable
from controlplane.wire.form import body_names_action, read_form
from controlplane.wire.index import Facts, Index
from controlplane.wire.limits import DEFAULT_LIMITS, Limits
from controlplane.wire.links import take_headers
from controlplane.wire.paths import BadEscape, Query, parse_query, split, unescape
from controlplane.wire.protocols import sqs_query
from controlplane.wire.scope import CredentialScope, HostFacts, credential_scope, host_facts
from controlplane.wire.service import Operation, Service

_QUERY = ("query", "ec2")
_REST = ("rest-json", "rest-xml")
_RPC_PATH = b"/service/"
_CBOR = "smithy-rpc-v2-cbor"


@dataclass(slots=True)
class Route:
    """Where a request goes. `operation` is None only on routes that accompany a refusal.

    `labels` are the decoded path labels of REST operations (and the bucket of a host name), `query` their parsed query
    string, `form` the parameters of the query protocols.
    """

    service: Service
    protocol: str
    operation: Operation | None = None
    operation_name: str | None = None
    region: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    query: Query = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)


def identify(
    request: HttpRequest, index: Index, endpoint_hosts: Sequence[str] = (), limits: Limits = DEFAULT_LIMITS
) -> Route:
    """Find the route. Raises Unroutable, which carries a route to say so in the caller's protocol.

    `endpoint_hosts` are this cloud's own names, under which `bucket.name` addresses a bucket. The body is needed only
    where `body_names_action` says so.
    """
    scope = credential_scope(request)
    take_headers(request, scope)
    host = host_facts(request.headers.get("host", ""), index, endpoint_hosts)
    region = (scope.region if scope else None) or host.region
    if host.website:
        return _website_route(request, index, host)
    if request.headers.get("smithy-protocol") or request.raw_path.startswith(_RPC_PATH):
        route = _rpc_route(request, index, region)
        if route is not None:
            return route
    allowed = _allowed(scope.service if scope is not None else None, host.prefix, index)
    candidates = allowed.services
    if "x-amz-target" in request.headers and allowed.json:
        return _target_route(request, index, candidates, region)
    if scope is not None and not candidates:
        raise _unknown_service(request, index, scope)
    query = _query(request, index, candidates, limits)
    if allowed.query and (action_route := _action_route(request, index, candidates, query, region, limits)):
        return action_route
    return _path_route(request, index, candidates, host, query, region)


def _website_route(request: HttpRequest, index: Index, host: HostFacts) -> Route:
    """A page of a bucket that is a website. Nobody signs there."""
    return page_route(request, index, "s3", "GetWebsitePage", host.region, {"Bucket": host.bucket or ""})


def page_route(
    request: HttpRequest, index: Index, model: str, operation: str, region: str | None, labels: Mapping[str, str]
) -> Route:
    """To an operation that shows a page: it gets `labels`, and the path as its `Key`. Raises Unroutable."""
    service = index.load(model)
    protocol = service.protocols[0]
    try:
        key = unescape("/".join(split(request.raw_path.decode("latin-1"))))
    except BadEscape as error:
        raise _refuse(wording.bad_uri(service, protocol, str(error)), service, protocol, region) from error
    return Route(service, protocol, service.operation(operation), operation, region, {**labels, "Key": key})


class _Allowed(NamedTuple):
    """The services that a request may be for, and whether it may speak their JSON or query protocols."""

    services: list[Facts]
    json: bool
    query: bool


@lru_cache(maxsize=1024)
def _allowed(signed_for: str | None, prefix: str | None, index: Index) -> _Allowed:
    """What the service of the signature and the host's prefix allow; nothing where neither says anything."""
    services = _candidates(signed_for, prefix, index)
    return _Allowed(services, _may_be_json(services), _may_be_query(services))


def _candidates(signed_for: str | None, prefix: str | None, index: Index) -> list[Facts]:
    if signed_for is not None:
        found = index.by_signing_name.get(signed_for, [])
        named = index.by_endpoint_prefix.get(prefix or "")
        return [named, *(facts for facts in found if facts is not named)] if named in found else found
    if prefix is None:
        return []
    named = index.by_endpoint_prefix[prefix]
    return [named, *(facts for facts in index.by_signing_name[named.signing_name] if facts is not named)]


def _may_be_json(candidates: list[Facts]) -> bool:
    return not candidates or any("json" in facts.protocols for facts in candidates)


def _may_be_query(candidates: list[Facts]) -> bool:
    return not candidates or any(protocol in facts.protocols for facts in candidates for protocol in _QUERY)


def _refuse(
    error: AwsError, service: Service, protocol: str, region: str | None, name: str | None = None
) -> Unroutable:
    return Unroutable(error, Route(service, protocol, operation_name=name, region=region))


def _rpc_route(request: HttpRequest, index: Index, region: str | None) -> Route | None:
    """`/service/{target prefix}/operation/{name}`."""
    parts = request.raw_path.decode("latin-1").rsplit("/", 4)[1:]
    well_formed = len(parts) == 4 and parts[0] == "service" and parts[2] == "operation"
    found = index.by_target_prefix.get(parts[1].rsplit(".", 1)[-1], []) if well_formed else []
    found = found or (index.by_target_prefix.get(parts[1], []) if well_formed else [])
    speaking = [facts for facts in found if _CBOR in facts.protocols]
    if request.headers.get("smithy-protocol") is None and not speaking:
        return None
    if not speaking:
        facts = found[0] if found else index.services["cloudwatch"]
        name = parts[3][:256] if well_formed else None
        raise _refuse(wording.unknown_operation(_CBOR, name), index.load(facts.name), _CBOR, region, name)
    return _operation_route(index.load(speaking[0].name), _CBOR, parts[3], region)


def _target_route(request: HttpRequest, index: Index, candidates: list[Facts], region: str | None) -> Route:
    prefix, _, name = request.headers["x-amz-target"].rpartition(".")
    found = [facts for facts in index.by_target_prefix.get(prefix, []) if "json" in facts.protocols]
    if not found:
        facts = next((facts for facts in candidates if "json" in facts.protocols), index.services["dynamodb"])
        raise _refuse(wording.unknown_operation("json", name), index.load(facts.name), "json", region, name[:256])
    # Two services share a target prefix (Timestream's): the candidates' order, made of the host name, decides first.
    ordered = sorted(found, key=lambda facts: candidates.index(facts) if facts in candidates else len(candidates))
    for facts in ordered[:-1]:
        if name in index.load(facts.name).operations:
            return _operation_route(index.load(facts.name), "json", name, region)
    return _operation_route(index.load(ordered[-1].name), "json", name, region)


def _operation_route(service: Service, protocol: str, name: str, region: str | None) -> Route:
    try:
        operation = service.operation(name, protocol)
    except KeyError:
        error = wording.unknown_operation(protocol, name, service)
        raise _refuse(error, service, protocol, region, name[:256]) from None
    return Route(service, protocol, operation, name, region)


def _query(request: HttpRequest, index: Index, candidates: list[Facts], limits: Limits) -> Query:
    if not request.query_string:
        return {}
    try:
        return parse_query(request.query_string, limits.parameters)
    except BadEscape as error:
        facts = candidates[0] if candidates else index.services["s3"]
        service = index.load(facts.name)
        protocol = facts.protocols[0]
        raise _refuse(wording.bad_uri(service, protocol, str(error)), service, protocol, None) from error


def _action_route(
    request: HttpRequest,
    index: Index,
    candidates: list[Facts],
    query: Query,
    region: str | None,
    limits: Limits,
) -> Route | None:
    """The route of a query request; None where it is none and another protocol remains possible."""
    form = {name: values[-1] for name, values in query.items()}
    speaking = [facts for facts in candidates if any(protocol in facts.protocols for protocol in _QUERY)]
    if body_names_action(request):
        try:
            form |= read_form(request, limits)
        except Malformed as problem:
            facts = speaking[0] if speaking else index.services["sts"]
            service, protocol = index.load(facts.name), _query_protocol(facts)
            raise _refuse(wording.malformed(service, protocol, problem), service, protocol, region) from problem
    action = form.get("Action")
    if action is None or (not candidates and request.method == "GET" and not index.by_action(action, None)):
        return None
    facts = _service_of_action(action, form.get("Version"), speaking, index)
    if facts.name == "sqs" and sqs_query.is_misplaced(action, request):
        service = index.load(facts.name)
        raise _refuse(wording.unknown_operation("query", action, service), service, "query", region, action)
    route = _operation_route(index.load(facts.name), _query_protocol(facts), action, region)
    route.form = form
    return route


def _service_of_action(action: str, version: str | None, speaking: list[Facts], index: Index) -> Facts:
    found = index.by_action(action, version)
    if not speaking:
        return found[0] if found else index.services["sts"]
    fitting = [facts for facts in found if facts in speaking]
    if fitting:
        # by_action sorts by version first; among equals the host name, which made the candidates' order, decides.
        same = [facts for facts in fitting if facts.api_version == fitting[0].api_version]
        return min(same, key=speaking.index) if speaking[0] in same else same[0]
    return next((facts for facts in speaking if facts.api_version == version), speaking[0])


def _query_protocol(facts: Facts) -> str:
    return "ec2" if "ec2" in facts.protocols else "query"


def _path_route(
    request: HttpRequest,
    index: Index,
    candidates: list[Facts],
    host: HostFacts,
    query: Query,
    region: str | None,
) -> Route:
    headers = request.headers
    facts = candidates[0] if candidates else index.services["s3"]
    try:
        segments = split(request.raw_path.decode("latin-1"))
        facts = _service_of_path(request, index, candidates, segments, query) or facts
        service, protocol = index.load(facts.name), facts.protocols[0]
        if facts.name == "s3" and host.bucket:
            segments = [host.bucket, *segments]
        found = service.paths.find(request.method, segments, query, headers) if protocol in _REST else None
    except BadEscape as error:
        service, protocol = index.load(facts.name), facts.protocols[0]
        raise _refuse(wording.bad_uri(service, protocol, str(error)), service, protocol, region) from error
    querying = next((facts for facts in candidates if facts.protocols[0] in _QUERY), None)
    if found is None and querying is not None:
        raise _refuse(wording.missing_action(), index.load(querying.name), querying.protocols[0], region)
    if found is None and "query" in facts.protocols and "json" not in headers.get("content-type", ""):
        raise _refuse(wording.no_operation(), service, "query", region)
    if found is None:
        refusal = wording.no_such_path(service, protocol, request.method, segments)
        raise _refuse(refusal, service, protocol, region)
    name, labels = found
    return Route(service, protocol, service.operation(name), name, region, labels, query)


def _service_of_path(
    request: HttpRequest, index: Index, candidates: list[Facts], segments: list[str], query: Query
) -> Facts | None:
    method, headers = request.method, request.headers
    if not candidates:
        return index.by_open_path(method, segments, query, headers)
    rest = [facts for facts in candidates if facts.protocols[0] in _REST]
    if len(candidates) == 1 or not rest:
        return None
    if rest[0].name == "s3":
        # A bucket may be called "v20180820", but S3 Control's requests name an account or an outpost.
        if "x-amz-account-id" not in headers and "x-amz-outpost-id" not in headers:
            return rest[0]
        rest.reverse()
    return index.by_path(rest, method, segments, query, headers) or rest[0]


def _unknown_service(request: HttpRequest, index: Index, scope: CredentialScope) -> Unroutable:
    """Say it in the protocol that the request seems to speak."""
    if body_names_action(request):
        service, protocol = index.load("sts"), "query"
    elif "x-amz-target" in request.headers:
        service, protocol = index.load("dynamodb"), "json"
    else:
        service, protocol = index.load("lambda"), "rest-json"
    return _refuse(wording.unknown_service(scope.service), service, protocol, scope.region)
