"""`celaje image import`: somebody else's disk becomes an AMI and boots by its own loader."""

from __future__ import annotations

import functools
import http.server
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.cloud import Cloud
from tests.machines import BOOT_SECONDS, Lab

pytestmark = pytest.mark.machines

WORDS = b"imported and booted\r\n"
# Writes WORDS to the first serial port, then halts: cld; xor ax,ax; mov ds,ax; mov si,WORDS; lodsb; out; loop.
_CODE = bytes.fromhex("fc31c08ed8be167cac84c07406baf803eeebf5f4ebfd")
SECTOR = (_CODE + WORDS + b"\0").ljust(510, b"\0") + b"\x55\xaa"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A raw disk of 4 MiB that boots."""
    path = tmp_path / "somebodys-disk.raw"
    path.write_bytes(SECTOR.ljust(4 * 1024 * 1024, b"\0"))
    return path


@pytest.mark.parametrize("way", ["raw file", "qcow2 by URL"])
def test_imported_disk_boots(cloud: Cloud, lab: Lab, raw: Path, way: str) -> None:
    if way == "raw file":
        ami = cloud.celaje("image", "import", str(raw), "--name", "raw-disk").split()[-1]
    else:
        subprocess.run(["qemu-img", "convert", "-O", "qcow2", str(raw), str(raw.parent / "disk.qcow2")], check=True)
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(raw.parent))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"http://127.0.0.1:{server.server_address[1]}/disk.qcow2"
            ami = cloud.celaje("image", "import", url, "--name", "qcow2-disk").split()[-1]
            server.shutdown()
    image = lab.ec2.describe_images(ImageIds=[ami])["Images"][0]
    assert (image["Name"], image["ImageOwnerAlias"]) == (f"{way.split()[0]}-disk", "amazon")
    (id,) = lab.launch(ImageId=ami)
    deadline = time.monotonic() + BOOT_SECONDS
    while WORDS.strip() not in _console(lab, id):
        assert time.monotonic() < deadline, _console(lab, id)
        time.sleep(0.5)


def _console(lab: Lab, id: str) -> bytes:
    return str(lab.ec2.get_console_output(InstanceId=id).get("Output", "")).encode()


def test_what_is_no_disk_is_refused(cloud: Cloud, tmp_path: Path, tiny_image: str) -> None:
    for name, content in (("empty", b""), ("missing", None)):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(AssertionError, match="celaje:"):
            cloud.celaje("image", "import", str(path))
