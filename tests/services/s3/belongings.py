"""What an account may have in S3, for the test that others cannot reach it."""

from __future__ import annotations

import uuid

from tests.cloud import Account


def make(account: Account) -> None:
    """A bucket with versions, tags and settings, an object and an upload."""
    s3, name = account.client("s3"), f"own-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": name, "Value": name}]})
    s3.put_object(Bucket=name, Key=name, Body=name.encode(), Metadata={"own": name})
    s3.create_multipart_upload(Bucket=name, Key=name)
