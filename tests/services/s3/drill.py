"""Every process of a cloud is killed, again and again, while objects are written, overwritten, copied, put together of
parts and deleted: in the end each acknowledged write is there, byte for byte, and nothing else lies on the disk.

Run by hand: python -m tests.services.s3.drill [ROUNDS] [SECONDS]

A kill does not take the page cache along: what this shows of fsync is that all is written in an order that bears it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from controlplane.engines.blobs.files import FileBlobs
from controlplane.services.s3.reconcilers import collect
from controlplane.settings import Settings
from controlplane.state.database import Database
from controlplane.work.reconciler import Run
from tests.cloud import Account, Cloud

VICTIMS = ("gateway-1", "gateway-2", "postgres", "worker", "valkey", "beat")
WRITERS = 4
PART = 5 * 1024 * 1024
_FAILURES = (ClientError, BotoCoreError, HTTPClientError, OSError)


def body_of(seed: int) -> bytes:
    """Bytes that a number stands for: mostly small, some beyond what lies in a row, some of megabytes."""
    chance = random.Random(seed)
    size = chance.choice((10, 1000, 4096, 30_000, 40_000, 300_000, 2_500_000))
    return chance.randbytes(size + chance.randrange(100))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Writer:
    """Writes under keys of its own, one request after another, and knows what each may hold: digests, None for no
    object. One that was acknowledged is the only one."""

    client: Any
    bucket: str
    kept: str
    """A bucket that keeps versions."""
    chance: random.Random
    name: str
    allowed: dict[str, set[str | None]] = field(default_factory=dict)
    versions: dict[tuple[str, str], str] = field(default_factory=dict)
    tally: Counter[str] = field(default_factory=Counter)

    def step(self) -> None:
        """One request."""
        act = self.chance.choices(
            (self.put, self.overwrite, self.delete, self.copy, self.multipart, self.version), (5, 4, 2, 2, 1, 3)
        )[0]
        try:
            act()
        except _FAILURES:
            self.tally["failed"] += 1

    def _try(self, key: str, after: str | None, function: Any, **arguments: Any) -> None:
        before = self.allowed.setdefault(key, {None})
        before.add(after)
        function(Bucket=self.bucket, Key=key, **arguments)
        self.allowed[key] = {after}
        self.tally["acknowledged"] += 1

    def _new(self) -> str:
        return f"{self.name}/{uuid.uuid4().hex}"

    def _old(self) -> str:
        return self.chance.choice(list(self.allowed)) if self.allowed else self._new()

    def put(self) -> None:
        self._put(self._new())

    def overwrite(self) -> None:
        self._put(self._old())

    def _put(self, key: str) -> None:
        data = body_of(self.chance.getrandbits(32))
        self._try(key, digest(data), self.client.put_object, Body=data)

    def delete(self) -> None:
        self._try(self._old(), None, self.client.delete_object)

    def copy(self) -> None:
        sure = [key for key, states in self.allowed.items() if len(states) == 1 and None not in states]
        if sure:
            source = self.chance.choice(sure)
            (same,) = self.allowed[source]
            named = {"Bucket": self.bucket, "Key": source}
            self._try(self._new(), same, self.client.copy_object, CopySource=named)

    def multipart(self) -> None:
        key, first, last = self._new(), self.chance.randbytes(PART), self.chance.randbytes(50_000)
        named = {"Bucket": self.bucket, "Key": key}
        upload = self.client.create_multipart_upload(**named)["UploadId"]
        parts = [
            {
                "PartNumber": number,
                "ETag": self.client.upload_part(**named, UploadId=upload, PartNumber=number, Body=data)["ETag"],
            }
            for number, data in enumerate((first, last), 1)
        ]
        complete = self.client.complete_multipart_upload
        self._try(key, digest(first + last), complete, UploadId=upload, MultipartUpload={"Parts": parts})

    def version(self) -> None:
        key, data = f"{self.name}/{self.chance.randrange(20)}", body_of(self.chance.getrandbits(32))
        made = self.client.put_object(Bucket=self.kept, Key=key, Body=data)
        self.versions[key, made["VersionId"]] = digest(data)
        self.tally["acknowledged"] += 1

    def wrong(self) -> Iterator[str]:
        """What is not as it must be."""
        for key, states in self.allowed.items():
            found = self._read(Bucket=self.bucket, Key=key)
            if found not in states:
                yield f"{key}: {found}, not one of {states}"
        for (key, version), expected in self.versions.items():
            found = self._read(Bucket=self.kept, Key=key, VersionId=version)
            if found != expected:
                yield f"{key} {version}: {found}, not {expected}"

    def _read(self, **named: str) -> str | None:
        try:
            return digest(self.client.get_object(**named)["Body"].read())
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise


@dataclass
class Drill:
    """A cloud under writers and kills."""

    cloud: Cloud
    account: Account
    writers: list[Writer]
    chance: random.Random

    def round(self) -> str:
        """Let all write, kill one process meanwhile, and wait until all serve again; answers who was killed."""
        over = threading.Event()
        threads = [threading.Thread(target=_write, args=(writer, over)) for writer in self.writers]
        for thread in threads:
            thread.start()
        time.sleep(self.chance.uniform(0.3, 1.5))
        victim = self.chance.choice([name for name in VICTIMS if name in self._names()])
        if pid := self.cloud.process(victim)["pid"]:
            os.kill(pid, signal.SIGKILL)
        time.sleep(self.chance.uniform(0.1, 1.0))
        over.set()
        for thread in threads:
            thread.join()
        self.cloud.wait_until(lambda: bool(self.cloud.status()["ready"]))
        return victim

    def _names(self) -> set[str]:
        return {process["name"] for process in self.cloud.processes()}

    def verify(self) -> list[str]:
        """What was lost or is not what was written."""
        return [wrong for writer in self.writers for wrong in writer.wrong()]

    def collect(self) -> tuple[int, set[str], set[str]]:
        """Collect orphans as the reconciler does, without its day of grace; answers how many there were, which files
        are left without a row, and which rows without a file."""
        return asyncio.run(_collected(self.cloud))


def _write(writer: Writer, over: threading.Event) -> None:
    while not over.is_set():
        writer.step()


async def _collected(cloud: Cloud) -> tuple[int, set[str], set[str]]:
    settings = Settings(home=cloud.home)
    database = await Database.open(settings.database, generations=settings.generations, size=2)
    try:
        blobs = FileBlobs(settings.blobs)
        number = await collect(Run("", "drill", database, {"blobs": blobs}), time.time() + 1)
        known = await database.fetch(
            "SELECT blob FROM s3_objects WHERE blob IS NOT NULL UNION SELECT blob FROM s3_versions "
            "WHERE blob IS NOT NULL UNION SELECT blob FROM s3_parts WHERE blob IS NOT NULL"
        )
        rows = {row["blob"] for row in known}
        files = {id for ids in blobs.written(time.time() + 1) for id in ids}
        return number, files - rows, {id for id in rows if id not in files or not blobs.verify(id)}
    finally:
        await database.close()


def begin(cloud: Cloud, seed: int) -> Drill:
    """A drill with an account and buckets of its own."""
    account, chance = cloud.new_account(), random.Random(seed)
    s3, bucket, kept = account.client("s3"), f"drill-{uuid.uuid4().hex}", f"drill-{uuid.uuid4().hex}"
    for name in (bucket, kept):
        s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=kept, VersioningConfiguration={"Status": "Enabled"})
    writers = [
        Writer(account.client("s3"), bucket, kept, random.Random(chance.getrandbits(32)), f"writer-{number}")
        for number in range(WRITERS)
    ]
    return Drill(cloud, account, writers, chance)


def main() -> None:
    """Print what came of it; ends with 1 when anything was lost."""
    rounds, seconds = int((sys.argv[1:] or ["100"])[0]), float((sys.argv[2:] or ["780"])[0])
    ends = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="celaje-drill-") as folder:
        Path(folder).chmod(0o711)
        cloud = Cloud(Path(folder), agent=False)
        cloud.start()
        try:
            drill, killed = begin(cloud, int(time.time())), Counter[str]()
            while sum(killed.values()) < rounds and time.monotonic() < ends:
                killed[drill.round()] += 1
            wrong, (collected, strays, lost) = drill.verify(), drill.collect()
            wrong += drill.verify()
        finally:
            cloud.stop()
    tally = sum((writer.tally for writer in drill.writers), Counter[str]())
    print(f"{sum(killed.values())} rounds, killed: {dict(killed)}; requests: {dict(tally)}")
    print(f"lost or corrupt: {len(wrong)}; orphans collected: {collected}; left: {len(strays)}; missing: {len(lost)}")
    for line in wrong[:20]:
        print("   ", line)
    sys.exit(bool(wrong or strays or lost))


if __name__ == "__main__":
    main()
