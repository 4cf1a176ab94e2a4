"""Blobs in any S3 cluster, through the `minio` client.

A blob is written to a file aside first: its name ends with the checksum of its bytes, which is known at the end only.
Blobs are not put whole by their digest here (`put_file`): images of machines stay with the files.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

import urllib3
from awscrt import checksums
from minio import Minio
from minio.commonconfig import ComposeSource, CopySource
from minio.error import MinioException, S3Error

from controlplane.core.errors import EngineMissing, EngineUnavailable
from controlplane.engines.blobs.contract import MARK

_CHUNK = 1024 * 1024
_PART = 16 * 1024 * 1024
_ID = re.compile(r"s3\+(?:([A-Z_]{1,32}):)?([0-9a-f]{32})")
_NAME = re.compile(r"[0-9a-f]{32}")
_RANDOM_BYTES = 12
_LARGEST_COPY = 5 * 1024**3
_GONE = ("NoSuchKey", "NoSuchBucket", "NoSuchObject")
_TROUBLE = (MinioException, urllib3.exceptions.HTTPError, OSError)


def _raise(error: Exception, id: str) -> Any:
    if isinstance(error, S3Error) and error.code in _GONE:
        raise EngineMissing(f"no blob {id}") from error
    raise EngineUnavailable(f"the blob cluster does not answer: {type(error).__name__}") from error


class ClusterBlobs:
    """Implements `contract.Blobs` in a bucket. `url` is `http(s)://KEY:SECRET@HOST:PORT/BUCKET`; `aside` a folder for
    what is being written."""

    def __init__(self, url: str, aside: Path) -> None:
        parts = urlsplit(url)
        pool = urllib3.PoolManager(
            maxsize=32, timeout=urllib3.Timeout(connect=5, read=60), retries=urllib3.Retry(total=3, backoff_factor=0.2)
        )
        self._client = Minio(
            endpoint=f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}",
            access_key=unquote(parts.username or ""),
            secret_key=unquote(parts.password or ""),
            secure=parts.scheme == "https",
            region="us-east-1",
            http_client=pool,
        )
        self._bucket = parts.path.strip("/")
        self._aside = aside

    def prepare(self) -> None:
        """Make the bucket if it is not there. Blocks. Raises EngineUnavailable."""
        try:
            if not self._client.bucket_exists(bucket_name=self._bucket):
                self._client.make_bucket(bucket_name=self._bucket)
        except _TROUBLE as error:
            if not (isinstance(error, S3Error) and str(error.code).startswith("BucketAlready")):
                _raise(error, self._bucket)

    def _name(self, id: str) -> str:
        """The object's name: a folder for each tier, then 256 folders."""
        found = _ID.fullmatch(id)
        if found is None:
            raise EngineMissing(f"not a blob id of a cluster: {id[:80]!r}")
        return f"{found[1] or 'default'}/{found[2][:2]}/{found[2]}"

    def create(self, tier: str = "") -> ClusterWriter:
        return ClusterWriter(self, tier)

    def keep(self, file: BinaryIO, size: int, checksum: int, tier: str) -> str:
        """Upload what was written aside. Blocks."""
        id = f"{_prefix(tier)}{secrets.token_hex(_RANDOM_BYTES)}{checksum:08x}"
        try:
            self._put(id, file, size)
        except _TROUBLE as error:
            if not (isinstance(error, S3Error) and error.code == "NoSuchBucket"):
                _raise(error, id)
            self.prepare()
            try:
                self._put(id, file, size)
            except _TROUBLE as again:
                _raise(again, id)
        return id

    def _put(self, id: str, file: BinaryIO, size: int) -> None:
        file.seek(0)
        self._client.put_object(
            bucket_name=self._bucket, object_name=self._name(id), data=file, length=size,
            part_size=_PART if size > _PART else 0,
        )  # fmt: skip

    def aside(self) -> BinaryIO:
        """A nameless file."""
        self._aside.mkdir(parents=True, exist_ok=True)
        return cast(BinaryIO, tempfile.TemporaryFile(dir=self._aside))

    def stream(self, id: str, start: int) -> Any:
        """The bytes from an offset, as urllib3 answers them."""
        try:
            return self._client.get_object(bucket_name=self._bucket, object_name=self._name(id), offset=start)
        except _TROUBLE as error:
            return _raise(error, id)

    def open(self, id: str) -> ClusterReader:
        return ClusterReader(self, id, self._size(id))

    def _size(self, id: str) -> int:
        try:
            found = self._client.stat_object(bucket_name=self._bucket, object_name=self._name(id))
        except _TROUBLE as error:
            return int(_raise(error, id))
        return int(found.size or 0)

    def lies_on(self, id: str, tier: str) -> bool:
        return id.startswith(MARK) and id[: -2 * _RANDOM_BYTES - 8] == _prefix(tier)

    def duplicate(self, id: str, tier: str | None = None) -> str:
        size = self._size(id)
        found = _ID.fullmatch(id)
        assert found is not None
        prefix = _prefix((found[1] or "") if tier is None else tier)
        new = f"{prefix}{secrets.token_hex(_RANDOM_BYTES)}{id[-8:]}"
        source, target = self._name(id), self._name(new)
        try:
            if size <= _LARGEST_COPY:
                self._client.copy_object(
                    bucket_name=self._bucket, object_name=target,
                    source=CopySource(bucket_name=self._bucket, object_name=source),
                )  # fmt: skip
            else:
                self._client.compose_object(
                    bucket_name=self._bucket, object_name=target,
                    sources=[ComposeSource(bucket_name=self._bucket, object_name=source)],
                )  # fmt: skip
        except _TROUBLE as error:
            _raise(error, id)
        return new

    def written(self, before: float) -> Iterator[list[str]]:
        """Tier by tier, folder by folder."""
        try:
            for top in sorted(self._folders(""), key=_tier_of):
                for folder in sorted(self._folders(top)):
                    found = [
                        _prefix(_tier_of(top)) + name
                        for item in self._client.list_objects(bucket_name=self._bucket, prefix=folder)
                        if item.last_modified is not None and item.last_modified.timestamp() < before
                        # SeaweedFS lists its empty folders as well.
                        if _NAME.fullmatch(name := str(item.object_name).rpartition("/")[2])
                    ]
                    if found:
                        yield found
        except _TROUBLE as error:
            _raise(error, self._bucket)

    def _folders(self, prefix: str) -> list[str]:
        listed = self._client.list_objects(bucket_name=self._bucket, prefix=prefix)
        return [str(item.object_name) for item in listed if item.is_dir]

    def verify(self, id: str) -> bool:
        reader, checksum, place = self.open(id), 0, 0
        try:
            while data := reader.read(place, _CHUNK):
                checksum, place = checksums.crc32c(data, checksum), place + len(data)
        finally:
            reader.close()
        return f"{checksum:08x}" == id[-8:]

    def sweep(self, before: float) -> int:
        """Nothing is ever left: what lies aside has no name, and an upload is visible when it is whole."""
        return 0

    async def put_file(self, path: Path) -> str:
        raise NotImplementedError("images of machines stay with the files")

    async def size(self, id: str) -> int:
        return await asyncio.to_thread(self._size, id)

    async def read(self, id: str, start: int = 0) -> AsyncIterator[bytes]:
        reader = await asyncio.to_thread(self.open, id)
        try:
            while chunk := await asyncio.to_thread(reader.read, start, _CHUNK):
                yield chunk
                start += len(chunk)
        finally:
            reader.close()

    async def delete(self, id: str) -> None:
        try:
            name = self._name(id)
        except EngineMissing:
            return
        try:
            await asyncio.to_thread(self._client.remove_object, bucket_name=self._bucket, object_name=name)
        except _TROUBLE as error:
            if not (isinstance(error, S3Error) and error.code in _GONE):
                _raise(error, id)


def _tier_of(folder: str) -> str:
    tier = folder.rstrip("/")
    return "" if tier == "default" else tier


def _prefix(tier: str) -> str:
    return f"{MARK}{tier}:" if tier else MARK


class ClusterWriter:
    """Implements `contract.Writer`."""

    def __init__(self, blobs: ClusterBlobs, tier: str) -> None:
        self._blobs = blobs
        self._tier = tier
        self._file: BinaryIO | None = blobs.aside()
        self._checksum = 0
        self._size = 0

    def write(self, data: bytes) -> None:
        assert self._file is not None
        self._checksum = checksums.crc32c(data, self._checksum)
        self._size += len(data)
        self._file.write(data)

    def commit(self) -> str:
        assert self._file is not None
        try:
            return self._blobs.keep(self._file, self._size, self._checksum, self._tier)
        finally:
            self.abort()

    def abort(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class ClusterReader:
    """Implements `contract.Reader`. Reads one after the other share one answer of the cluster."""

    def __init__(self, blobs: ClusterBlobs, id: str, size: int) -> None:
        self._blobs = blobs
        self._id = id
        self._size = size
        self._place = 0
        self._stream: Any = blobs.stream(id, 0) if size else None

    def read(self, start: int, length: int) -> bytes:
        if start >= self._size or not length:
            return b""
        if self._stream is None or self._place != start:
            self.close()
            self._stream, self._place = self._blobs.stream(self._id, start), start
        wanted = min(length, self._size - start)
        try:
            found: bytes = self._stream.read(wanted)
        except _TROUBLE:
            found = b""
        if len(found) < wanted:  # the answer broke off: once more from here
            self.close()
            self._stream = self._blobs.stream(self._id, start + len(found))
            try:
                found += self._stream.read(wanted - len(found))
            except _TROUBLE as error:
                _raise(error, self._id)
        self._place = start + len(found)
        return found

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream.release_conn()
            self._stream = None
