"""How far the aliases of a zone reach, and what it costs to work the zone out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

DEEPEST = 8
"""So many aliases are followed in a row."""
BY_PLACE = ("Region", "GeoLocation", "GeoProximityLocation", "CidrRoutingConfig")
MOST_ANSWERS = 100_000
"""Names that go by places, times networks: each is a part of what the name answers."""
MOST_LOOKS = 1_000_000
"""Record sets that are looked at for those names, times networks."""
MOST_CHARACTERS = 10_000_000
"""All values that are answered; those behind an alias, or near a network, once more."""
_CHOICE_CHARACTERS = 20
_DRAWN = ("Weight", "MultiValueAnswer")

Key = tuple[str, str]
Sets = Mapping[Key, Sequence[Mapping[str, Any]]]
"""The record sets of a zone by name and type."""


def grouped(contents: Iterable[Mapping[str, Any]]) -> Sets:
    """Record sets by name and type."""
    sets: dict[Key, list[Mapping[str, Any]]] = defaultdict(list)
    for content in contents:
        sets[content["Name"], content["Type"]].append(content)
    return dict(sets)


def located(sets: Sets) -> set[Key]:
    """Those whose answers may go by the place of whoever asks, by way of aliases too."""
    above: dict[Key, set[Key]] = defaultdict(set)
    for key, targets in _targets(sets).items():
        for target in targets:
            above[target].add(key)
    found = {key for key, members in sets.items() if any(kind in one for one in members for kind in BY_PLACE)}
    waiting = list(found)
    while waiting:
        fresh = above.pop(waiting.pop(), set()) - found
        found |= fresh
        waiting += fresh
    return found


def loop(sets: Sets) -> list[Key]:
    """Those of one circle of aliases, if there is any."""
    try:
        TopologicalSorter(_targets(sets)).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def excess(sets: Sets, networks: int) -> str | None:
    """What is too much to be worked out, of a zone that must answer for so many networks apart."""
    near = located(sets) if networks else set()
    if len(near) * networks > MOST_ANSWERS:
        return f"Number of answers limit of {MOST_ANSWERS} exceeded: names that go by places times networks."
    if _looks(sets, near) * networks > MOST_LOOKS:
        return f"Number of records limit of {MOST_LOOKS} exceeded: records that go by places times networks."
    sizes = _sizes(sets)
    if sum(total * (1 + networks * (key in near)) for key, (total, _) in sizes.items()) > MOST_CHARACTERS:
        return f"Number of characters limit of {MOST_CHARACTERS} exceeded: values, also by way of aliases and networks."
    return None


def _targets(sets: Sets) -> dict[Key, set[Key]]:
    """Where aliases lead, as far as that is in the zone."""
    found = {}
    for key, members in sets.items():
        led = {(one["AliasTarget"]["DNSName"], key[1]) for one in members if "AliasTarget" in one} & sets.keys()
        if led:
            found[key] = led
    return found


def _looks(sets: Sets, near: set[Key]) -> int:
    """Members of the sets that are worked out for one place: of each set once a depth."""
    targets, looks, level = _targets(sets), 0, near
    for _ in range(DEEPEST + 1):
        looks += sum(len(sets[key]) for key in level)
        level = set().union(*(targets.get(key, ()) for key in level)) & near
    return looks


def _sizes(sets: Sets) -> dict[Key, tuple[int, int]]:
    """Characters of what a set answers at most, and of the largest of its choices."""
    aliased = _targets(sets)
    sizes: dict[Key, tuple[int, int]] = {}
    for key, members in sets.items():
        sizes[key] = _size(key, members, sizes)
    for _ in range(DEEPEST):
        larger = {key: size for key in aliased if (size := _size(key, sets[key], sizes)) != sizes[key]}
        if not larger:
            break
        sizes |= larger
    return sizes


def _size(key: Key, members: Sequence[Mapping[str, Any]], sizes: Mapping[Key, tuple[int, int]]) -> tuple[int, int]:
    total = largest = summed = 0
    for one in members:
        whole, choice = _of_one(one, key[1], sizes)
        total, largest, summed = max(total, whole), max(largest, choice), summed + choice
    drawn = any(kind in members[0] for kind in _DRAWN)
    return max(total, summed) if drawn else total, largest


def _of_one(content: Mapping[str, Any], type: str, sizes: Mapping[Key, tuple[int, int]]) -> tuple[int, int]:
    if "AliasTarget" in content:
        return sizes.get((content["AliasTarget"]["DNSName"], type), (_CHOICE_CHARACTERS, _CHOICE_CHARACTERS))
    size = _CHOICE_CHARACTERS + sum(len(item["Value"]) for item in content["ResourceRecords"])
    return size, size
