"""dnsdist before PowerDNS: the port behind it, and where both are found."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

import dns.message
import pytest

from controlplane.engines.dns import front
from controlplane.engines.dns.powerdns import PowerDns

QUESTION = dns.message.make_query("celaje.invalid", "A").to_wire()


def listener(port: int = 0) -> socket.socket:
    made = socket.socket(type=socket.SOCK_DGRAM)
    made.settimeout(5)
    made.bind(("127.0.0.1", port))
    return made


def test_the_port_is_kept_while_it_is_free_and_a_broken_file_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.watched(tmp_path).write_text("a.test.\n")
    port = front.choose_inner(tmp_path)
    assert port and front.choose_inner(tmp_path) == port == front.last_inner(tmp_path)
    with listener(port):
        other = front.choose_inner(tmp_path)
    assert other not in (None, port)
    for broken in ("", "x", "-1", "70000"):
        front.inner(tmp_path).write_text(broken)
        assert front.last_inner(tmp_path) is None and front.choose_inner(tmp_path), broken
    monkeypatch.setattr(front, "installed", lambda: False)
    assert front.choose_inner(tmp_path) is None and not front.inner(tmp_path).exists()


def test_a_server_that_listens_everywhere_is_asked_on_loopback() -> None:
    assert front.reached(("0.0.0.0", 53)) == ("127.0.0.1", 53)
    assert front.reached(("::", 53)) == ("::1", 53)
    assert front.reached(("192.0.2.1", 53)) == ("192.0.2.1", 53)


async def test_nobody_is_interrupted_when_nothing_is_watched_any_longer(tmp_path: Path) -> None:
    engine = PowerDns(tmp_path, ("127.0.0.1", 53))
    front.inner(tmp_path).write_text("5353")
    for names in (["a.test"], [], ["b.test"], []):
        assert await engine.watch(names), "nobody is there who could be told to end"
        assert front.watched(tmp_path).exists() == bool(names)


@pytest.mark.skipif(not front.installed(), reason="dnsdist is not installed")
def test_dnsdist_follows_powerdns_to_another_port(tmp_path: Path) -> None:
    with listener() as free:
        port = free.getsockname()[1]
    server = front.Front(tmp_path, tmp_path, ("127.0.0.1", port))
    with listener() as first, listener() as second, listener() as client:
        front.write(front.inner(tmp_path), str(first.getsockname()[1]))
        server.prepare()
        with subprocess.Popen(server.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
            try:
                for backend in (first, second):
                    front.write(front.inner(tmp_path), str(backend.getsockname()[1]))
                    time.sleep(2.5)
                    client.sendto(QUESTION, ("127.0.0.1", port))
                    while QUESTION[12:] not in backend.recv(4096):
                        pass
            finally:
                child.kill()
