"""A cloud whose settings are those of an older AWS: open buckets, and owners with names."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cloud import Cloud
from tests.services.s3.test_recorded import refused


@pytest.fixture(scope="module")
def older_cloud() -> Iterator[Cloud]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        cloud = Cloud(Path(folder), agent=False)
        cloud.start(new_buckets="open", owner_names="true")
        yield cloud
        cloud.stop()


def test_buckets_take_lists_and_owners_have_names(older_cloud: Cloud) -> None:
    first, second = older_cloud.new_account(), older_cloud.new_account()
    s3, other = first.client("s3"), second.client("s3")
    s3.create_bucket(Bucket="open", ACL="public-read-write")
    missing = refused(s3.get_bucket_encryption, Bucket="open")["Code"]
    assert missing == "ServerSideEncryptionConfigurationNotFoundError"
    assert refused(s3.get_bucket_ownership_controls, Bucket="open")["Code"] == "OwnershipControlsNotFoundError"
    other.put_object(Bucket="open", Key="theirs", Body=b"")
    other.put_object_acl(Bucket="open", Key="theirs", ACL="bucket-owner-full-control")
    s3.put_object(Bucket="open", Key="mine", Body=b"")
    s3.create_multipart_upload(Bucket="open", Key="mine")
    mine, theirs = s3.list_buckets()["Owner"], other.list_buckets()["Owner"]
    assert mine["DisplayName"] != theirs["DisplayName"] and mine["ID"] != theirs["ID"]

    def owners(items: list[dict[str, Any]]) -> list[dict[str, str]]:
        return [item["Owner"] for item in items]

    assert owners(s3.list_objects(Bucket="open")["Contents"]) == [mine, theirs]
    assert owners(s3.list_objects_v2(Bucket="open", FetchOwner=True)["Contents"]) == [mine, theirs]
    assert owners(s3.list_object_versions(Bucket="open")["Versions"]) == [mine, theirs]
    upload = s3.list_multipart_uploads(Bucket="open")["Uploads"][0]
    parts = s3.list_parts(Bucket="open", Key="mine", UploadId=upload["UploadId"])
    assert upload["Owner"] == mine == parts["Owner"] and upload["Initiator"]["DisplayName"]
    told = other.get_object_acl(Bucket="open", Key="theirs")
    assert told["Owner"] == theirs
    assert [{**grant["Grantee"], "Type": ""} for grant in told["Grants"]] == [
        {**theirs, "Type": ""},
        {**mine, "Type": ""},
    ]
    assert s3.get_bucket_acl(Bucket="open")["Owner"] == mine
