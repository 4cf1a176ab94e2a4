"""What the trail knows of each operation: its event source, whether it only reads, and how its values are masked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from controlplane.access.trail.masking import Mask, compile_mask
from controlplane.wire.service import load

_READS = re.compile(
    r"(Get|List|Describe|Head|Lookup|Search|Query|Scan|BatchGet|Select|Simulate|Test|Validate|Check|Estimate|Filter|"
    r"View|Preview|Detect|Decode|Receive|Poll|Count)(?=[A-Z]|$)"
)
_CALLED = {"s3": {"Bucket": "bucketName"}}
"""Members that CloudTrail calls otherwise than the model."""
# What CloudTrail calls read-only although its name does not say so.
_ALSO_READ = {
    "kms": frozenset(
        ("Encrypt", "Decrypt", "ReEncrypt", "Sign", "Verify", "GenerateMac", "VerifyMac", "GenerateRandom",
         "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair",
         "GenerateDataKeyPairWithoutPlaintext", "DeriveSharedSecret", "Encapsulate", "Decapsulate")
    ),
    "sts": frozenset(("AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity")),
}  # fmt: skip
# Data events, which are recorded only where a trail selects their resource type.
_DATA = {
    "s3": (
        "AWS::S3::Object",
        re.compile(
            r"(Get|Put|Head|Delete|Copy|Restore|Select)Object(s|Acl|Tagging|Attributes|Content|Torrent|Retention|LegalHold)?"
            r"|ListObjects(V2)?|ListObjectVersions|(Create|Complete|Abort)MultipartUpload|UploadPart(Copy)?"
            r"|List(Parts|MultipartUploads)"
        ),
    ),
    "sqs": (
        "AWS::SQS::Queue",
        re.compile(r"(Send|Receive|Delete)Message(Batch)?|ChangeMessageVisibility(Batch)?"),
    ),
    "sns": ("AWS::SNS::Topic", re.compile(r"Publish(Batch)?")),
    "lambda": ("AWS::Lambda::Function", re.compile(r"Invoke(Async|WithResponseStream)?")),
    "dynamodb": (
        "AWS::DynamoDB::Table",
        re.compile(r"(Get|Put|Update|Delete)Item|Batch(Get|Write)Item|Query|Scan|Transact(Get|Write)Items|.*Statement"),
    ),
    "kinesis": ("AWS::Kinesis::Stream", re.compile(r"PutRecords?|GetRecords|GetShardIterator|SubscribeToShard")),
    "logs": ("AWS::Logs::LogGroup", re.compile(r"PutLogEvents")),
}


@dataclass(frozen=True, slots=True)
class Known:
    """One operation. `data_type` is the resource type of data events, empty for management events."""

    source: str
    name: str
    read_only: bool
    data_type: str
    parameters: Mask
    result: Mask

    @property
    def category(self) -> str:
        return "Data" if self.data_type else "Management"


@lru_cache(maxsize=4096)
def known(model: str, operation: str) -> Known:
    """The facts of an operation of a botocore model."""
    service = load(model)
    shapes = service.operation(operation)
    data_type, pattern = _DATA.get(model, ("", None))
    is_data = pattern is not None and pattern.fullmatch(operation)
    return Known(
        source=f"{service.model.metadata['endpointPrefix'].rpartition('.')[2]}.amazonaws.com",
        name=operation,
        read_only=bool(_READS.match(operation)) or operation in _ALSO_READ.get(model, ()),
        data_type=data_type if is_data else "",
        parameters=compile_mask(shapes.input_shape, _CALLED.get(model, {})),
        result=compile_mask(shapes.output_shape, _CALLED.get(model, {})),
    )
