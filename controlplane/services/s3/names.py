"""Names of buckets."""

from __future__ import annotations

import re

from controlplane.services.s3.errors import InvalidBucketName

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_PREFIXES = ("xn--", "sthree-")
_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def check(name: str) -> None:
    """Raises InvalidBucketName."""
    good = (
        _NAME.fullmatch(name)
        and ".." not in name
        and ".-" not in name
        and "-." not in name
        and not _ADDRESS.fullmatch(name)
        and not name.startswith(_PREFIXES)
        and not name.endswith(_SUFFIXES)
    )
    if not good:
        raise InvalidBucketName(BucketName=name)
