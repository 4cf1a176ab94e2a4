"""Access points: further names of a bucket, each with a policy and a block of public access of its own.

S3 Control makes them, through this service's offers. Who comes through one needs the leave of both: of the access
point and of the bucket behind it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controlplane.services.s3.errors import S3Error

OPERATIONS = frozenset(
    {
        "DeleteObjects", "GetBucketAcl", "GetBucketCors", "GetBucketLocation", "GetBucketNotificationConfiguration",
        "GetBucketPolicy", "HeadBucket", "ListMultipartUploads", "ListObjectVersions", "ListObjects", "ListObjectsV2",
    }
)  # fmt: skip
"""What of a bucket, beside its objects, can be asked for through an access point."""
_HOST = re.compile(r"([a-z0-9][a-z0-9-]{1,48}[a-z0-9])-([0-9]{12})")
_ARN = re.compile(r"arn:aws:s3:[a-z0-9-]*:([0-9]{12}):accesspoint[/:]([^/:]+)/object/(.+)", re.DOTALL)


class NoSuchAccessPoint(S3Error):
    code, status, text = "NoSuchAccessPoint", 404, "The specified accesspoint does not exist"


class AccessPointAlreadyOwnedByYou(S3Error):
    code, status = "AccessPointAlreadyOwnedByYou", 409
    text = "Your previous request to create the named accesspoint succeeded and you already own it."


class TooManyAccessPoints(S3Error):
    code, text = "TooManyAccessPoints", "You have attempted to create more access points than allowed"

    @classmethod
    def beyond(cls, limit: int) -> TooManyAccessPoints:
        return cls()


class BucketHasAccessPointsAttached(S3Error):
    code, status = "BucketHasAccessPointsAttached", 409
    text = "The bucket you are trying to delete has access points attached. Delete your access points and try again."


@dataclass(frozen=True, slots=True)
class AccessPoint:
    """An access point as its row says."""

    account_id: str
    region: str
    name: str
    alias: str
    bucket: str
    bucket_account_id: str
    block: Mapping[str, bool]
    policy: Mapping[str, Any] | None
    vpc_id: str | None
    created_at: datetime

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:{self.region}:{self.account_id}:accesspoint/{self.name}"

    @property
    def origin(self) -> str:
        """From where it can be reached."""
        return "VPC" if self.vpc_id else "Internet"


def of_row(row: Any) -> AccessPoint:
    """The access point of a row."""
    return AccessPoint(
        row["account_id"],
        row["region"],
        row["name"],
        row["alias"],
        row["bucket"],
        row["bucket_account_id"],
        row["block"],
        row["policy"],
        row["vpc_id"],
        row["created_at"],
    )


def host_name(account_id: str, name: str) -> str:
    """The first label of the host name under which SDKs reach an access point."""
    return f"{name}-{account_id}"


def of_host_name(text: str) -> tuple[str, str] | None:
    """Account and name again."""
    found = _HOST.fullmatch(text)
    return (found[2], found[1]) if found else None


def of_copy_source(text: str) -> tuple[str, str] | None:
    """The bucket and key that the ARN of an access point's object stands for, as requests name them."""
    found = _ARN.fullmatch(text)
    return (host_name(found[1], found[2]), found[3]) if found else None
