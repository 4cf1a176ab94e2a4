"""botocore's service descriptions, read from its data files without their documentation, most of their size."""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path
from typing import Any

import botocore
import orjson
from botocore.loaders import ExtrasProcessor, Loader

_DATA = Path(botocore.__file__).parent / "data"
_EXTRAS = Path(__file__).with_name("extras")
"""Operations that AWS documents and botocore leaves out, because only another client of AWS's calls them."""
_PROSE = frozenset({"documentation", "documentationUrl", "deprecatedMessage"})


@lru_cache(maxsize=1)
def _loader() -> Loader:
    return Loader()


def names() -> list[str]:
    """All services that botocore knows, in its naming (`sqs`, `route53`, `cloudwatch`)."""
    found: list[str] = _loader().list_available_services("service-2")
    return found


def read(name: str) -> dict[str, Any]:
    """The newest description of a service. Raises botocore's UnknownServiceError."""
    folder = _DATA / name / _loader().determine_latest_version(name, "service-2")
    packed = folder / "service-2.json.gz"
    raw = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / "service-2.json").read_bytes()
    description = _without_prose(orjson.loads(raw))
    extras = folder / "service-2.sdk-extras.json"
    if extras.exists():
        ExtrasProcessor().process(description, [orjson.loads(extras.read_bytes())])
    ours = _EXTRAS / f"{name}.json"
    if ours.exists():
        ExtrasProcessor().process(description, [{"merge": orjson.loads(ours.read_bytes())}])
    return description


def _without_prose(description: dict[str, Any]) -> dict[str, Any]:
    for shape in description["shapes"].values():
        _drop(shape)
        for member in shape.get("members", {}).values():
            _drop(member)
    for operation in description["operations"].values():
        _drop(operation)
        for error in operation.get("errors", ()):
            _drop(error)
    return description


def _drop(node: dict[str, Any]) -> None:
    for key in _PROSE & node.keys():
        # A member of a structure may itself be called "documentation", but never a key of a shape or of a reference.
        del node[key]
