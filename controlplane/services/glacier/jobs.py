"""What jobs are called, and what they put out."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from controlplane.services.glacier.vaults import Vault, told

KIND = "glacier.job"
ARCHIVE, INVENTORY = "ArchiveRetrieval", "InventoryRetrieval"
RUNNING, DONE, FAILED = "InProgress", "Succeeded", "Failed"
in_thread = asyncio.to_thread


def inventory(vault: Vault, rows: list[Any], format: str) -> bytes:
    """A list of archives, as JSON or CSV."""
    if format == "CSV":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["ArchiveId", "ArchiveDescription", "CreationDate", "Size", "SHA256TreeHash"])
        writer.writerows(
            [row["id"], row["description"], told(row["created_at"]), row["size"], row["tree_hash"]] for row in rows
        )
        return text.getvalue().encode()
    listed = [
        {
            "ArchiveId": row["id"],
            "ArchiveDescription": row["description"],
            "CreationDate": told(row["created_at"]),
            "Size": row["size"],
            "SHA256TreeHash": row["tree_hash"],
        }
        for row in rows
    ]
    return orjson.dumps({"VaultARN": vault.arn, "InventoryDate": told(datetime.now(UTC)), "ArchiveList": listed})


def cut(blocks: Iterator[bytes], skip: int, length: int) -> Iterator[bytes]:
    """A range of what comes in blocks."""
    for block in blocks:
        taken = block[skip : skip + length] if skip < len(block) else b""
        skip = max(0, skip - len(block))
        length -= len(taken)
        if taken:
            yield taken
        if not length:
            return
