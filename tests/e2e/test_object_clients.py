"""What people move objects with, unmodified: the aws command, s3cmd, rclone, DuckDB, boto3's transfers."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig

from tests.cloud import Account

LARGE = 20 * 1024 * 1024 + 11
NAMES = ("a.txt", "deep/er/b c.txt", "deep/ü+%.bin", "large.bin")

MADE = 1_700_000_000
"""When the files were written, as they say."""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with files of all kinds, one of them large enough for parts."""
    folder = tmp_path / "files"
    for name in NAMES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(LARGE if name == "large.bin" else 1000))
        # Clients that synchronize compare with the time that S3 tells, which is in whole seconds.
        os.utime(path, (MADE, MADE))
    return folder


@pytest.fixture
def s3(account: Account) -> Any:
    return account.client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"clients-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    return name


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def run(account: Account, *command: str | Path, home: Path) -> str:
    """What a command prints. Raises AssertionError with its complaint."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), **account.environment()}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_aws_command(account: Account, s3: Any, bucket: str, files: Path, tmp_path: Path) -> None:
    aws = Path(sys.prefix) / "aws-cli/bin/aws"
    run(account, aws, "s3", "sync", files, f"s3://{bucket}/all", home=tmp_path)
    assert run(account, aws, "s3", "sync", files, f"s3://{bucket}/all", home=tmp_path) == ""
    run(account, aws, "s3", "cp", "--recursive", f"s3://{bucket}/all", tmp_path / "back", home=tmp_path)
    assert digests(tmp_path / "back") == digests(files)
    run(account, aws, "s3", "cp", f"s3://{bucket}/all/large.bin", f"s3://{bucket}/copy.bin", home=tmp_path)
    link = run(account, aws, "s3", "presign", f"s3://{bucket}/copy.bin", home=tmp_path).strip()
    with urllib.request.urlopen(link) as answer:
        assert hashlib.sha256(answer.read()).hexdigest() == digests(files)["large.bin"]
    (files / "a.txt").unlink()
    run(account, aws, "s3", "sync", "--delete", files, f"s3://{bucket}/all", home=tmp_path)
    listed = run(account, aws, "s3", "ls", "--recursive", f"s3://{bucket}/all", home=tmp_path)
    assert "a.txt" not in listed
    assert len(listed.splitlines()) == len(NAMES) - 1
    run(account, aws, "s3", "rb", "--force", f"s3://{bucket}", home=tmp_path)
    assert s3.list_buckets()["Buckets"] == []


def test_s3cmd(account: Account, bucket: str, files: Path, tmp_path: Path) -> None:
    host = account.endpoint.removeprefix("http://")
    options = (
        f"--access_key={account.access_key_id}", f"--secret_key={account.secret_access_key}", f"--host={host}",
        f"--host-bucket={host}", "--no-ssl", "--multipart-chunk-size-mb=5",
    )  # fmt: skip
    for signature in ((), ("--signature-v2",)):
        prefix = f"s3://{bucket}/all{len(signature)}/"
        run(account, "s3cmd", *options, *signature, "sync", f"{files}/", prefix, home=tmp_path)
        back = tmp_path / f"back{len(signature)}"
        back.mkdir()
        run(account, "s3cmd", *options, *signature, "sync", prefix, f"{back}/", home=tmp_path)
        assert digests(back) == digests(files)
        run(account, "s3cmd", *options, *signature, "del", "--recursive", "--force", prefix, home=tmp_path)
    assert run(account, "s3cmd", *options, "ls", f"s3://{bucket}/", home=tmp_path) == ""


def test_rclone(account: Account, bucket: str, files: Path, tmp_path: Path) -> None:
    options = (
        "--s3-provider=Other", "--s3-env-auth", f"--s3-endpoint={account.endpoint}", "--s3-chunk-size=5M",
        "--s3-upload-cutoff=8M", "--config=/dev/null",
    )  # fmt: skip
    remote = f":s3:{bucket}/all"
    run(account, "rclone", *options, "sync", files, remote, home=tmp_path)
    run(account, "rclone", *options, "check", "--download", files, remote, home=tmp_path)
    (files / "a.txt").unlink()
    run(account, "rclone", *options, "sync", files, remote, home=tmp_path)
    run(account, "rclone", *options, "moveto", f"{remote}/large.bin", f"{remote}/moved.bin", home=tmp_path)
    run(account, "rclone", *options, "sync", remote, tmp_path / "back", home=tmp_path)
    expected = {name.replace("large", "moved"): digest for name, digest in digests(files).items()}
    assert digests(tmp_path / "back") == expected


_QUERIES = """
import sys, duckdb, importlib.resources
from urllib.parse import urlsplit
endpoint, bucket = sys.argv[1:]
home = duckdb.connect()
extension = next(importlib.resources.files("duckdb_extension_httpfs").rglob("httpfs.duckdb_extension"))
home.execute(f"LOAD '{extension}'")
home.execute(f\"\"\"CREATE SECRET (TYPE s3, PROVIDER config, KEY_ID '{sys.stdin.readline().strip()}',
    SECRET '{sys.stdin.readline().strip()}', REGION 'us-east-1', ENDPOINT '{urlsplit(endpoint).netloc}',
    URL_STYLE 'path', USE_SSL false)\"\"\")
numbers = "SELECT i AS n, i % 7 AS week, repeat('x', 200) AS filling FROM range(300000) r(i)"
home.execute(f"COPY ({numbers}) TO 's3://{bucket}/numbers.parquet'")
home.execute(f"COPY ({numbers}) TO 's3://{bucket}/by' (FORMAT parquet, PARTITION_BY (week))")
print(home.sql(f"SELECT sum(n) FROM 's3://{bucket}/numbers.parquet' WHERE week = 3").fetchone()[0])
print(home.sql(f"SELECT count(*), sum(n) FROM read_parquet('s3://{bucket}/by/*/*.parquet') WHERE week = 3").fetchone())
print(home.sql(f"SELECT count(*) FROM read_csv('s3://{bucket}/some.csv')").fetchone()[0])
"""


def test_duckdbs_httpfs(account: Account, s3: Any, bucket: str) -> None:
    """Parquet written in parts, read in ranges; patterns by listing; CSV."""
    s3.put_object(Bucket=bucket, Key="some.csv", Body=b"a,b\n1,2\n3,4\n")
    command = [Path(sys.prefix) / "duckdb/bin/python", "-c", _QUERIES, account.endpoint, bucket]
    keys = f"{account.access_key_id}\n{account.secret_access_key}\n"
    done = subprocess.run(command, input=keys, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    threes = range(3, 300_000, 7)
    assert done.stdout.split("\n") == [str(sum(threes)), f"({len(threes)}, {sum(threes)})", "2", ""]
    assert len(s3.list_objects_v2(Bucket=bucket, Prefix="by/")["Contents"]) >= 7


def test_boto3s_transfers(s3: Any, bucket: str, files: Path, tmp_path: Path) -> None:
    parts = TransferConfig(multipart_threshold=5 * 1024 * 1024, multipart_chunksize=5 * 1024 * 1024, max_concurrency=4)
    s3.upload_file(str(files / "large.bin"), bucket, "k", Config=parts, ExtraArgs={"Metadata": {"a": "b"}})
    s3.copy({"Bucket": bucket, "Key": "k"}, bucket, "copy", Config=parts)
    s3.download_file(bucket, "copy", str(tmp_path / "back"), Config=parts)
    assert hashlib.sha256((tmp_path / "back").read_bytes()).hexdigest() == digests(files)["large.bin"]
    assert s3.head_object(Bucket=bucket, Key="copy")["Metadata"] == {"a": "b"}
