"""Policy documents in compiled form."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from controlplane.access.policy.conditions import Condition, compile_condition
from controlplane.access.policy.match import Context, Patterns, arn_test, glob_test, tokenize
from controlplane.access.policy.principals import PrincipalElement

CURRENT_VERSION = "2012-10-17"


@dataclass(frozen=True, slots=True)
class Statement:
    """One compiled statement. `policy` and `sid` name it in decisions; `index` counts from 1.

    `covers_resource` is None where every resource is covered.
    """

    policy: str
    sid: str
    index: int
    allow: bool
    covers_action: Callable[[str], bool]
    covers_resource: Callable[[str, Context], bool] | None
    principals: PrincipalElement | None
    conditions: tuple[Condition, ...]

    def applies(self, resource: str, context: Context) -> bool:
        """Whether resource and conditions match; action and principal are the caller's matter."""
        for condition in self.conditions:
            if not condition.test(context):
                return False
        return self.covers_resource is None or self.covers_resource(resource, context)


@dataclass(frozen=True, slots=True)
class Policy:
    """A compiled policy; `name` is its ARN, or where it is written for inline ones."""

    name: str
    statements: tuple[Statement, ...]


def compile_policy(document: str | Mapping[str, Any], name: str) -> Policy:
    """Compile a document that `grammar.validate` accepted (when it was stored). Raises ValueError on anything else."""
    content = json.loads(document) if isinstance(document, str) else document
    variables = content.get("Version") == CURRENT_VERSION
    raw = content["Statement"]
    statements = [raw] if isinstance(raw, Mapping) else raw
    return Policy(
        name, tuple(_statement(name, index, item, variables) for index, item in enumerate(statements, start=1))
    )


def _statement(policy: str, index: int, raw: Mapping[str, Any], variables: bool) -> Statement:
    return Statement(
        policy=policy,
        sid=raw.get("Sid", ""),
        index=index,
        allow=raw["Effect"] == "Allow",
        covers_action=_action_element(raw),
        covers_resource=_resource_element(raw, variables),
        principals=PrincipalElement.of(raw),
        conditions=tuple(_conditions(raw.get("Condition") or {}, variables)),
    )


def texts(value: Any) -> list[str]:
    """One or many, as the grammar allows it: scalars become their JSON text, as in `"Bool": {"key": true}`."""
    items = value if isinstance(value, list) else [value]
    return [item if isinstance(item, str) else json.dumps(item) for item in items]


def _action_element(raw: Mapping[str, Any]) -> Callable[[str], bool]:
    negated = "NotAction" in raw
    patterns = [tokenize(text.lower(), variables=False) for text in texts(raw["NotAction" if negated else "Action"])]
    matches = Patterns(patterns, glob_test).matches
    return lambda action: matches(action, {}) is not negated


def _resource_element(raw: Mapping[str, Any], variables: bool) -> Callable[[str, Context], bool] | None:
    if "Resource" not in raw and "NotResource" not in raw:
        return None
    negated = "NotResource" in raw
    tokens = [tokenize(text, variables=variables) for text in texts(raw["NotResource" if negated else "Resource"])]
    patterns = Patterns(tokens, arn_test)
    if not negated:
        return None if patterns.everything else patterns.matches
    # Where a variable has no value nobody can say what is excepted: a Deny then holds, an Allow does not.
    allow = raw["Effect"] == "Allow"
    return lambda resource, context: (
        not patterns.matches(resource, context) and not (allow and patterns.unresolved(context))
    )


def _conditions(block: Mapping[str, Any], variables: bool) -> Iterable[Condition]:
    for name, keys in block.items():
        for key, values in keys.items():
            yield compile_condition(name, key, texts(values), variables=variables)
