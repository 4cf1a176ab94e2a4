"""Names of buckets."""

from __future__ import annotations

import re

from controlplane.services.s3.errors import InvalidBucketName

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_ASKED = re.compile(r"[A-Za-z0-9._-]{1,255}")
_PREFIXES = ("xn--", "sthree-")
_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def check_asked(name: str) -> None:
    """Whether a bucket could have this name, also one that was made long ago. Raises InvalidBucketName."""
    if not _ASKED.fullmatch(name):
        raise InvalidBucketName(BucketName=name)


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
