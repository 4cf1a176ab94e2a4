"""What an account may have in Glacier, for the test that others cannot reach it."""

from __future__ import annotations

import uuid

from tests.cloud import Account


def make(account: Account) -> None:
    """A vault with an archive, an upload, a job and a lock that is tried."""
    glacier, name = account.client("glacier"), f"own-{uuid.uuid4().hex[:12]}"
    glacier.create_vault(vaultName=name)
    glacier.add_tags_to_vault(vaultName=name, Tags={name: name})
    archive = glacier.upload_archive(vaultName=name, body=b"x", archiveDescription=name)["archiveId"]
    glacier.initiate_multipart_upload(vaultName=name, partSize="1048576", archiveDescription=name)
    parameters = {"Type": "archive-retrieval", "ArchiveId": archive, "Description": name}
    glacier.initiate_job(vaultName=name, jobParameters=parameters)
