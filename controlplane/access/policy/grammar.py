"""The grammar of policy documents: what AWS accepts, and its words for what it refuses.

The checks run in the order in which AWS reports them, known from recorded answers: JSON and structure, version, the
"legacy" checks, statement ids, resources, actions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from controlplane.access.policy.conditions import is_date_operator, is_operator
from controlplane.access.policy.parse import CURRENT_VERSION, texts

OLD_VERSION = "2008-10-17"
_MAX_DEPTH = 12
_IDENTITY_ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
_PRINCIPAL_ELEMENTS = {"Principal", "NotPrincipal"}
_PRINCIPAL_KINDS = {"AWS", "Service", "Federated", "CanonicalUser"}
_VENDOR = re.compile(r"[A-Za-z0-9.-]+")
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d([Tt]\d{1,2}(:\d\d(:\d\d(\.\d{1,9})?)?)?(Z|z|[+-]\d\d(:?\d\d)?)?)?)?)?", re.ASCII)
_SID = re.compile(r"[0-9A-Za-z]*")
_PARTITIONS = {"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc", "*"}
_IAM_PATHS = (
    "user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/", "policy/",
    "sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "access-report/",
)  # fmt: skip

SYNTAX = "Syntax errors in policy."


class MalformedPolicy(Exception):
    """A document that AWS would refuse; the message is AWS's."""


class _Json:
    """Reading JSON as strictly as a policy needs: no repeated keys, no NaN, no depth that exhausts the stack, no text
    that is none (NUL, half a surrogate pair)."""

    @staticmethod
    def read(text: str) -> Any:
        if text.count("[") + text.count("{") > 20_000:
            raise ValueError("too deep")
        try:
            value = json.loads(text, object_pairs_hook=_Json._object, parse_constant=_Json._constant)
        except (ValueError, RecursionError) as error:
            raise ValueError("not JSON") from error
        _check_values(value, _MAX_DEPTH)
        return value

    @staticmethod
    def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key comes twice")
        return found

    @staticmethod
    def _constant(name: str) -> Any:
        raise ValueError(name)


def _check_values(value: Any, left: int) -> None:
    if left == 0:
        raise ValueError("too deep")
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_text(key)
            _check_values(item, left - 1)
    elif isinstance(value, list):
        for item in value:
            _check_values(item, left - 1)


def _check_text(text: str) -> None:
    """Raises ValueError for what neither Postgres nor UTF-8 can hold."""
    if not text.isascii():
        text.encode()
    if "\x00" in text:
        raise ValueError("a NUL character")


def validate_identity(document: str) -> dict[str, Any]:
    """Check a policy of a user, group or role, a managed, boundary or session policy; return its content.

    Raises MalformedPolicy with AWS's message.
    """
    content = _structure(document, SYNTAX, _IDENTITY_ELEMENTS | _PRINCIPAL_ELEMENTS)
    if any(_PRINCIPAL_ELEMENTS & statement.keys() for statement in statements_of(content)):
        raise MalformedPolicy("Policy document should not specify a principal.")
    if content.get("Version", OLD_VERSION) != CURRENT_VERSION:
        raise MalformedPolicy("Policy document must be version 2012-10-17 or greater.")
    _legacy(content)
    _sids(content)
    statements = statements_of(content)
    for statement in statements:
        _resources(statement)
    for statement in statements:
        if not _given(statement, "Action"):
            raise MalformedPolicy("Policy statement must contain actions.")
        if not _given(statement, "Resource"):
            raise MalformedPolicy("Policy statement must contain resources.")
    for statement in statements:
        _actions(statement)
    return content


def validate_trust(document: str) -> dict[str, Any]:
    """Check a role's trust policy; whether its principals exist is the caller's matter. Raises MalformedPolicy."""
    content = _structure(document, "This policy contains invalid Json", _IDENTITY_ELEMENTS | _PRINCIPAL_ELEMENTS)
    _legacy(content)
    _sids(content)
    for statement in statements_of(content):
        if "Resource" in statement or "NotResource" in statement:
            raise MalformedPolicy("Has prohibited field Resource")
        if not _PRINCIPAL_ELEMENTS & statement.keys():
            raise MalformedPolicy("Missing required field Principal")
        if not (statement.get("Action") or statement.get("NotAction")):
            raise MalformedPolicy("Missing required field Action")
        _actions(statement)
        if any(not _is_trust_action(action) for action in texts(statement.get("Action", []))):
            raise MalformedPolicy("AssumeRole policy may only specify STS AssumeRole actions.")
    return content


def validate_resource(document: str) -> dict[str, Any]:
    """Check a resource policy (of a queue, a bucket, a key). Raises MalformedPolicy."""
    content = _structure(document, SYNTAX, _IDENTITY_ELEMENTS | _PRINCIPAL_ELEMENTS)
    _legacy(content)
    _sids(content, alphanumeric=False)
    for statement in statements_of(content):
        if not _PRINCIPAL_ELEMENTS & statement.keys():
            raise MalformedPolicy("Missing required field Principal")
        if not _given(statement, "Action"):
            raise MalformedPolicy("Missing required field Action")
        _actions(statement)
    return content


def validate_control(document: str, *, resource: bool) -> dict[str, Any]:
    """Check a service control policy, or a resource control policy (`resource`). Raises MalformedPolicy."""
    content = _structure(document, SYNTAX, _IDENTITY_ELEMENTS | _PRINCIPAL_ELEMENTS)
    _legacy(content)
    _sids(content, alphanumeric=False)
    for statement in statements_of(content):
        _resources(statement)
        _actions(statement)
        if not _given(statement, "Action") or not _given(statement, "Resource"):
            raise MalformedPolicy("Policy statement must contain actions and resources.")
        if not resource and _PRINCIPAL_ELEMENTS & statement.keys():
            raise MalformedPolicy("Policy document should not specify a principal.")
        if resource and (statement["Effect"] != "Deny" or statement.get("Principal") != "*"):
            raise MalformedPolicy('A resource control policy denies, and names the principal "*".')
        if resource and ("NotAction" in statement or "*" in texts(statement["Action"])):
            raise MalformedPolicy("A resource control policy names the actions of single services.")
    return content


def statements_of(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The statements of a document, whether it has one or a list."""
    statement = content["Statement"]
    return [statement] if isinstance(statement, Mapping) else statement


def _given(statement: Mapping[str, Any], element: str) -> bool:
    """Whether an element or its Not form holds anything, an empty string included."""
    return any(texts(statement.get(name, [])) for name in (element, f"Not{element}"))


def _is_trust_action(action: str) -> bool:
    return action == "*" or action.lower().startswith("sts:")


def _structure(document: str, invalid_json: str, elements: set[str]) -> dict[str, Any]:
    try:
        content = _Json.read(document)
    except ValueError as error:
        raise MalformedPolicy(invalid_json) from error
    if not isinstance(content, dict) or content.keys() - {"Version", "Id", "Statement"} or "Statement" not in content:
        raise MalformedPolicy(SYNTAX)
    if content.get("Version", OLD_VERSION) not in (CURRENT_VERSION, OLD_VERSION):
        raise MalformedPolicy(SYNTAX)
    if not isinstance(content.get("Id", ""), str) or not content["Statement"]:
        raise MalformedPolicy(SYNTAX)
    if not isinstance(content["Statement"], dict | list):
        raise MalformedPolicy(SYNTAX)
    for statement in statements_of(content):
        if not isinstance(statement, dict) or not _is_statement(statement, elements):
            raise MalformedPolicy(SYNTAX)
    return content


def _is_statement(statement: Mapping[str, Any], elements: set[str]) -> bool:
    if statement.keys() - elements or any(
        name in statement and f"Not{name}" in statement for name in ("Action", "Resource", "Principal")
    ):
        return False
    effect = statement.get("Effect")
    if not isinstance(effect, str) or effect.lower() not in ("allow", "deny"):
        return False
    if not isinstance(statement.get("Sid", ""), str):
        return False
    if not all(
        _is_text_or_texts(statement[name])
        for name in ("Action", "NotAction", "Resource", "NotResource")
        if name in statement
    ):
        return False
    if not all(_is_principal(statement[name]) for name in _PRINCIPAL_ELEMENTS & statement.keys()):
        return False
    return "Condition" not in statement or _is_condition(statement["Condition"])


def _is_text_or_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))


def _is_principal(value: Any) -> bool:
    if value == "*":
        return True
    return (
        isinstance(value, dict)
        and bool(value)
        and value.keys() <= _PRINCIPAL_KINDS
        and all(_is_text_or_texts(names) and names and all(names) for names in value.values())
    )


def _is_condition(block: Any) -> bool:
    if not isinstance(block, dict):
        return False
    for name, keys in block.items():
        if not isinstance(keys, dict) or (keys and not is_operator(name)):
            return False
        for values in keys.values():
            items = values if isinstance(values, list) else [values]
            if not all(isinstance(item, str | bool | int | float) for item in items):
                return False
    return True


def _legacy(content: Mapping[str, Any]) -> None:
    for statement in statements_of(content):
        if statement["Effect"] not in ("Allow", "Deny") or not all(map(_is_parsable, _dates(statement))):
            raise MalformedPolicy("The policy failed legacy parsing")
        for resource in texts(statement.get("Resource", statement.get("NotResource", []))):
            parts = resource.split(":")
            if parts[:2] != ["arn", "aws"] or len(parts) < 3:
                continue
            if not parts[2] or (parts[2] == "s3" and len(parts) == 5 and parts[4] not in ("", "*")):
                raise MalformedPolicy("The policy failed legacy parsing")


def _dates(statement: Mapping[str, Any]) -> Iterator[str]:
    for name, keys in (statement.get("Condition") or {}).items():
        if keys and is_date_operator(name):
            for values in keys.values():
                yield from texts(values)


def _is_parsable(date: str) -> bool:
    if "${" in date:
        return True
    if re.fullmatch(r"-?\d+", date):
        return -(2**63) <= int(date[:25]) < 2**63
    return bool(_DATE.fullmatch(date)) or bool(re.fullmatch(r"\d{2}T", date))


def _sids(content: Mapping[str, Any], *, alphanumeric: bool = True) -> None:
    seen: set[str] = set()
    for statement in statements_of(content):
        sid = statement.get("Sid", "")
        if alphanumeric and not _SID.fullmatch(sid):
            raise MalformedPolicy(
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression "
                "[0-9A-Za-z]*"
            )
        if sid and sid in seen:
            raise MalformedPolicy("Statement IDs (SID) in a single policy must be unique.")
        seen.add(sid)


def _resources(statement: Mapping[str, Any]) -> None:
    for resource in texts(statement.get("Resource", statement.get("NotResource", []))):
        if resource == "*":
            continue
        parts = resource.split(":", 5)
        if len(parts) < 2:
            raise MalformedPolicy(f'Resource {resource} must be in ARN format or "*".')
        full = ":".join(["arn", *parts[1:], *["*"] * (6 - len(parts))])
        if parts[1] not in _PARTITIONS:
            raise MalformedPolicy(f'Partition "{parts[1]}" is not valid for resource "{full}".')
        if len(parts) == 2 and parts[1] != "*":
            raise MalformedPolicy("Resource vendor must be fully qualified and cannot contain regexes.")
        _resource_of_vendor(resource, full.split(":", 5))


def _resource_of_vendor(resource: str, parts: list[str]) -> None:
    _, _, vendor, region, account, name = parts
    if vendor == "iam":
        if region not in ("", "*"):
            raise MalformedPolicy(f"IAM resource {resource} cannot contain region information.")
        if name != "*" and not _may_start_iam_path(name):
            raise MalformedPolicy(f'IAM resource path must either be "*", root, or start with {", ".join(_IAM_PATHS)}.')
    if vendor == "s3" and region not in ("", "*") and not account:
        raise MalformedPolicy(f"Resource {resource} can not contain region information.")


def _may_start_iam_path(name: str) -> bool:
    fixed = re.split(r"[*?]|\$\{", name, maxsplit=1)[0]
    return (
        name.startswith(_IAM_PATHS)
        or name == "root"
        or (fixed != name and any(p.startswith(fixed) for p in _IAM_PATHS))
    )


def _actions(statement: Mapping[str, Any]) -> None:
    for action in texts(statement.get("Action", statement.get("NotAction", []))):
        if action == "*":
            continue
        vendor, colon, name = action.partition(":")
        if not colon or not vendor:
            raise MalformedPolicy("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
        if ":" in name:
            raise MalformedPolicy("Actions/Condition can contain only one colon.")
        if not _VENDOR.fullmatch(vendor):
            raise MalformedPolicy(f"Vendor {vendor} is not valid")
