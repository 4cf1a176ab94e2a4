"""A real SeaweedFS for tests: a master, three volume servers, a filer that speaks S3; two copies of everything."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from controlplane.core.errors import EngineError
from controlplane.engines.blobs.cluster import ClusterBlobs

WEED = Path(sys.executable).parent / "weed"
START_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """A real SeaweedFS."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ports = {name: (free_port(), free_port()) for name in ("master", "v1", "v2", "v3", "filer", "s3")}

    def start(self) -> None:
        keys = {
            "identities": [
                {"name": "c", "credentials": [{"accessKey": "key", "secretKey": "secret"}], "actions": ["Admin"]}
            ]
        }
        (self._folder / "s3.json").write_text(json.dumps(keys))
        master, grpc = self._ports["master"]
        where = f"127.0.0.1:{master}.{grpc}"
        options = ["-mdir", str(self._made("m")), "-defaultReplication", "001", "-volumeSizeLimitMB", "64"]
        self._run("master", "master", *options)
        for name in ("v1", "v2", "v3"):
            self._run(name, "volume", "-dir", str(self._made(name)), "-max", "12", "-master", where)
        self._run("filer", "filer", "-master", where, "-defaultStoreDir", str(self._made("f")), *self._socket("filer"))
        filer, filer_grpc = self._ports["filer"]
        self._run(
            "s3", "s3", "-filer", f"127.0.0.1:{filer}.{filer_grpc}", "-config", str(self._folder / "s3.json"),
            "-port.iceberg", "0", "-port.lance", "0", *self._socket("s3"), ip="-ip.bind",
        )  # fmt: skip

    def _socket(self, name: str) -> tuple[str, str]:
        # By default it lies in /tmp, where a server that is killed leaves it.
        return "-localSocket", str(self._folder / f"{name}.sock")

    def _made(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir()
        return folder

    def _run(self, name: str, *command: str, ip: str = "-ip") -> None:
        port, grpc = self._ports[name]
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [
                    str(WEED), f"-logdir={self._folder}", command[0], ip, "127.0.0.1",
                    "-port", str(port), "-port.grpc", str(grpc), *command[1:],
                ],
                stdout=log, stderr=log, cwd=self._folder,
            )  # fmt: skip

    @property
    def url(self) -> str:
        return f"http://key:secret@127.0.0.1:{self._ports['s3'][0]}/blobs"

    def kill(self, name: str) -> None:
        self._processes[name].kill()
        self._processes[name].wait()

    def stop(self) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()


@contextlib.contextmanager
def running() -> Iterator[Cluster]:
    """A cluster that takes and gives blobs."""
    folder = Path(tempfile.mkdtemp(prefix="weed-"))
    cluster = Cluster(folder)
    cluster.start()
    try:
        _wait(cluster, folder)
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(cluster: Cluster, folder: Path) -> None:
    blobs, deadline = ClusterBlobs(cluster.url, folder / "aside"), time.monotonic() + START_SECONDS
    while True:
        writer = blobs.create()
        try:
            writer.write(b"ready")
            blobs.verify(writer.commit())
            return
        except EngineError as error:
            writer.abort()
            assert time.monotonic() < deadline, repr(error.__cause__) + (folder / "s3.log").read_text()[-2000:]
            time.sleep(0.5)
