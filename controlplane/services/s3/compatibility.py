"""S3 as Ceph's object gateway answers it (`CELAJE_S3_COMPATIBILITY=ceph`), for what was written for that.

What can be said at the edge is said here; elsewhere `ceph` is asked where the two go different ways.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from controlplane.core.compatibility import Compatibility
from controlplane.core.context import Cloud
from controlplane.core.errors import AwsError
from controlplane.services.s3.errors import (
    AccessDenied,
    BadDigest,
    InvalidArgument,
    InvalidPart,
    InvalidRange,
    InvalidTag,
    MalformedXML,
    NoSuchKey,
    S3Error,
)

_KMS = "aws:kms"
_WRITES = frozenset({"PutObject", "CopyObject", "CreateMultipartUpload"})


def ceph(cloud: Cloud) -> bool:
    """Whether a cloud answers as Ceph's gateway."""
    return cloud.compatibility.get("s3") == "ceph"


@dataclass(frozen=True, slots=True)
class _Words:
    """A refusal of AWS's by its code and a piece of its text, and what Ceph's gateway raises there."""

    code: str
    piece: str
    told: type[S3Error]


_REFUSALS = (
    _Words("AccessDenied", "must provide the correct secret key", InvalidArgument),
    _Words("AuthorizationQueryParametersError", "X-Amz-Expires", AccessDenied),
    _Words("BadRequest", "Object tags cannot be greater than", InvalidTag),
    _Words("InvalidArgument", "Range specified is not valid for source object", InvalidRange),
    _Words("InvalidBucketOwnerAWSAccountID", "", AccessDenied),
    _Words("InvalidPartNumber", "", InvalidPart),
    _Words("InvalidRequest", "Value for x-amz-checksum-", BadDigest),
    _Words("InvalidRequest", "You must specify at least one part", MalformedXML),
    _Words("InvalidTargetBucketForLogging", "", NoSuchKey),
)


class Ceph(Compatibility):
    """Requests, answers and refusals as Ceph's gateway has them."""

    def asked(self, operation: str, request: dict[str, Any]) -> None:
        if operation == "ListObjectsV2" and request.get("ContinuationToken") == "":
            request["ContinuationToken"] = None
        if operation in _WRITES and request.get("ServerSideEncryption") == _KMS and not request.get("SSEKMSKeyId"):
            raise InvalidArgument("Server Side Encryption with KMS managed key requires the id of a key.")

    def told(self, operation: str, request: dict[str, Any], answer: dict[str, Any]) -> None:
        if operation in ("GetBucketAcl", "GetObjectAcl"):
            # Grants by the id of who has them, which groups do not have.
            answer["Grants"] = sorted(answer["Grants"], key=lambda grant: grant["Grantee"].get("ID", ""))
        elif operation == "ListObjectsV2":
            if "ContinuationToken" in request:
                answer.setdefault("ContinuationToken", "")
            if request.get("StartAfter"):
                answer["StartAfter"] = request["StartAfter"]
        elif operation == "GetBucketLogging" and answer:
            told = {name: value for name, value in answer["LoggingEnabled"].items() if name != "TargetGrants"}
            answer["LoggingEnabled"] = {"TargetObjectKeyFormat": {"SimplePrefix": {}}, **told}

    def refused(self, operation: str, error: AwsError) -> AwsError:
        for words in _REFUSALS:
            if words.code == error.code and words.piece in error.message:
                return words.told(error.message, **error.members)
        return error


COMPATIBLE = {"ceph": Ceph()}
