"""Amazon Resource Names."""

from __future__ import annotations

from dataclasses import dataclass

PARTITION = "aws"
_BUCKETS = f"arn:{PARTITION}:s3:::"


@dataclass(frozen=True, slots=True)
class Arn:
    """The six parts of `arn:partition:service:region:account:resource`; region and account may be empty."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"

    @classmethod
    def parse(cls, text: str) -> Arn:
        """Split an ARN. Raises ValueError when it is not one."""
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or not parts[1] or not parts[2] or not parts[5]:
            raise ValueError(f"not an ARN: {text[:200]!r}")
        return cls(*parts[1:])


def arn(service: str, region: str, account: str, resource: str) -> str:
    """Join the parts of an ARN in this cloud's partition."""
    return f"arn:{PARTITION}:{service}:{region}:{account}:{resource}"


def bucket_of(text: str) -> str:
    """The bucket's name in `arn:aws:s3:::name`. Raises ValueError."""
    name = text.removeprefix(_BUCKETS)
    if name == text or not name or "/" in name:
        raise ValueError(f"not a bucket's ARN: {text[:200]!r}")
    return name


def object_of(text: str) -> tuple[str, str]:
    """Bucket and key in `arn:aws:s3:::name/key`. Raises ValueError."""
    bucket, _, key = text.partition("/")
    if not key:
        raise ValueError(f"not an object's ARN: {text[:200]!r}")
    return bucket_of(bucket), key
