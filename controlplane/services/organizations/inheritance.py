"""Inheritance of management policies: what a child's `@@assign`, `@@append` and `@@remove` make of its parent's.

Follows AWS's "inheritance operators": a parent may limit what its children say with
`@@operators_allowed_for_child_policies`; what they may not say is left out. Policies on one target are merged in order
of their ids.
"""

from __future__ import annotations

from typing import Any

_ALLOWED = "@@operators_allowed_for_child_policies"
_NAMES = {"@@assign", "@@append", "@@remove"}
_EVERYTHING = frozenset(_NAMES)


class _Node:
    """One key of the merged policy: a value, or further keys; and what children may do to it."""

    __slots__ = ("children", "operators", "value")

    def __init__(self, operators: frozenset[str]) -> None:
        self.children: dict[str, _Node] = {}
        self.value: Any = None
        self.operators = operators

    def plain(self) -> Any:
        """What is told: keys without any value below them are left out."""
        if self.value is not None:
            return self.value
        found = {key: child.plain() for key, child in self.children.items()}
        return {key: value for key, value in found.items() if value is not None} or None


def merge(levels: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """The effective policy of the policies on each level, root first."""
    root = _Node(_EVERYTHING)
    for level in levels:
        limits: list[tuple[_Node, frozenset[str]]] = []
        for document in level:
            _apply(root, document, limits)
        for node, operators in limits:  # they bind the levels below, not the siblings
            node.operators &= operators
    return root.plain() or {}


def _apply(node: _Node, content: dict[str, Any], limits: list[tuple[_Node, frozenset[str]]]) -> None:
    for key, value in content.items():
        if key == _ALLOWED:
            limits.append((node, _operators(value)))
        elif key in _NAMES:
            if key in node.operators:
                _operate(node, key, value)
        else:
            child = _child(node, key)
            if isinstance(value, dict):
                _apply(child, value, limits)
            elif "@@assign" in child.operators:
                child.value = value


def _child(node: _Node, key: str) -> _Node:
    """Keys that differ only in case are the same."""
    for known, child in node.children.items():
        if known.lower() == key.lower():
            child.operators &= node.operators
            return child
    node.children[key] = child = _Node(node.operators)
    return child


def _operators(value: Any) -> frozenset[str]:
    given = value if isinstance(value, list) else [value]
    if "@@all" in given:
        return _EVERYTHING
    return frozenset(name for name in given if name in _NAMES)


def _operate(node: _Node, operator: str, value: Any) -> None:
    if operator == "@@assign":
        node.value = value
        return
    before = node.value if isinstance(node.value, list) else [] if node.value is None else [node.value]
    given = value if isinstance(value, list) else [value]
    if operator == "@@append":
        node.value = [*before, *(item for item in given if item not in before)]
    else:
        node.value = [item for item in before if item not in given]


def depth(value: Any) -> int:
    """How deep a document is nested."""
    deepest, level = 0, [value]
    while level:
        deepest += 1
        level = [
            item
            for node in level
            if isinstance(node, dict | list)
            for item in (node.values() if isinstance(node, dict) else node)
        ]
    return deepest
