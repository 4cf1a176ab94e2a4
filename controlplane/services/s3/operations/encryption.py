"""How a bucket encrypts what does not say how."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Request, operation
from controlplane.services.s3.buckets import on_bucket_for, the_bucket
from controlplane.services.s3.encryption import DSSE, KMS, S3
from controlplane.services.s3.errors import InvalidArgument, MalformedXML, S3Error
from controlplane.services.s3.queries import buckets as queries

_GET, _PUT = "s3:GetEncryptionConfiguration", "s3:PutEncryptionConfiguration"
_DEFAULT = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": S3}, "BucketKeyEnabled": False}


class EncryptionConfigurationNotFound(S3Error):
    code, status = "ServerSideEncryptionConfigurationNotFoundError", 404
    text = "The server side encryption configuration was not found"


@operation("GetBucketEncryption", on=on_bucket_for(_GET), action=_GET)
async def get_bucket_encryption(ctx: Context, request: Request) -> dict[str, Any]:
    """The default encryption: the cloud's own key where nothing else was said, which older AWS did not tell.
    Raises EncryptionConfigurationNotFound."""
    rule = the_bucket(ctx).settings.get("encryption")
    if rule is None and ctx.cloud.new_buckets == "open":
        raise EncryptionConfigurationNotFound(BucketName=the_bucket(ctx).name)
    rule = rule or _DEFAULT
    return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}


@operation("PutBucketEncryption", on=on_bucket_for(_PUT), action=_PUT)
async def put_bucket_encryption(ctx: Context, request: Request) -> None:
    """Replace the default encryption. Raises MalformedXML, InvalidArgument."""
    bucket = the_bucket(ctx)
    rules = request["ServerSideEncryptionConfiguration"].get("Rules") or []
    if len(rules) != 1 or not rules[0].get("ApplyServerSideEncryptionByDefault"):
        raise MalformedXML
    default = rules[0]["ApplyServerSideEncryptionByDefault"]
    algorithm = default.get("SSEAlgorithm")
    if algorithm not in (S3, KMS, DSSE):
        raise MalformedXML
    if algorithm == S3 and default.get("KMSMasterKeyID"):
        raise InvalidArgument(
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
            ArgumentName="ApplyServerSideEncryptionByDefault",
        )
    rule = {**rules[0], "BucketKeyEnabled": bool(rules[0].get("BucketKeyEnabled"))}
    await queries.put_setting(ctx.db, bucket.id, "encryption", rule)


@operation("DeleteBucketEncryption", on=on_bucket_for(_PUT), action=_PUT)
async def delete_bucket_encryption(ctx: Context, request: Request) -> None:
    """Back to the cloud's own key."""
    await queries.put_setting(ctx.db, the_bucket(ctx).id, "encryption", None)
