"""botocore's protocol vectors, found in a folder `shared/vectors` beside the repository or above it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from controlplane.wire.service import Operation, Service


class Case(NamedTuple):
    """One vector: its protocol, its operation in a service made of the suite's description, and its data."""

    id: str
    operation: Operation
    protocol: str
    data: dict[str, Any]


@lru_cache(maxsize=1)
def folder() -> Path | None:
    """The folder of the vectors; None where there is none."""
    for parent in Path(__file__).resolve().parents:
        found = parent / "shared" / "vectors" / "botocore-protocols"
        if found.is_dir():
            return found
    return None


def cases(direction: str) -> Iterator[Case]:
    """All vectors of a direction, `input` or `output`."""
    root = folder()
    if root is None:
        return
    for path in sorted((root / direction).glob("*.json")):
        for suite in orjson.loads(path.read_bytes()):
            for case in suite["cases"]:
                yield _case(f"{direction} {path.stem} {case['id']}", suite, case)


def _case(name: str, suite: dict[str, Any], case: dict[str, Any]) -> Case:
    given = dict(case["given"])
    if suite["metadata"]["protocol"] == "query" and "output" in given:
        # All query APIs of AWS wrap their results like this; the vectors' descriptions leave it to be known.
        given["output"] = {**given["output"], "resultWrapper": f"{given['name']}Result"}
    metadata = {"endpointPrefix": "vectors", "serviceId": "Vectors", **suite["metadata"]}
    description = {"metadata": metadata, "shapes": suite["shapes"], "operations": {given["name"]: given}}
    service = Service("vectors", description)
    return Case(name, service.operation(given["name"]), service.protocols[0], case)
