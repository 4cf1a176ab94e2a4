"""A headless Chromium, driven by the W3C WebDriver protocol: plain HTTP, so that httpx is all it takes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key of an element's reference, fixed by the specification."""
ELSEWHERE = "cloud.example"
"""A name under which the browser reaches this machine without taking it for its own."""
_FLAGS = (
    f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1400,950"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)


class Browser:
    """One window. Elements are found by XPath, and waited for."""

    def __init__(self, driver: httpx.Client, session: str, downloads: Path) -> None:
        self.downloads = downloads
        self._driver = driver
        self._session = f"/session/{session}"

    def open(self, url: str) -> None:
        self._do("POST", "/url", url=url)

    def go(self, page: str) -> None:
        """Follow a link of the navigation."""
        self.click(f"//nav//a[normalize-space()={page!r}]")
        self.find(f"//h1[normalize-space()={page!r}]")

    def find(self, xpath: str, seconds: float = 10.0) -> str:
        """The first visible element. Raises AssertionError with the page's text when none appears."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self._do("POST", "/elements", using="xpath", value=xpath)
            for element in found:
                with contextlib.suppress(httpx.HTTPStatusError):  # gone: the page was drawn again
                    if self._do("GET", f"/element/{element[_ELEMENT]}/displayed"):
                        return str(element[_ELEMENT])
            time.sleep(0.05)
        raise AssertionError(f"no {xpath} on the page:\n{self.text()}")

    def click(self, xpath: str, seconds: float = 10.0) -> None:
        self._retry(lambda: self._do("POST", f"/element/{self.find(xpath, seconds)}/click"), seconds)

    def write(self, label: str, text: str) -> None:
        """Write into the field with a label; a dialog's fields stand before the page's that it covers."""
        field = f"//label[span={label!r}]//*[self::input or self::textarea]"
        found = self.find(f"//dialog{field} | //*[not(//dialog)]{field}")
        self._do("POST", f"/element/{found}/clear")
        self._do("POST", f"/element/{found}/value", text=text)

    def choose(self, label: str, option: str) -> None:
        """Choose an option of the list with a label."""
        self.click(f"//label[.//span={label!r}]//option[contains(., {option!r})]")

    def text(self, xpath: str = "//body") -> str:
        """What a reader sees of an element."""
        found: list[str] = []
        self._retry(lambda: found.append(self._do("GET", f"/element/{self.find(xpath)}/text")), 5.0)
        return found[0]

    def run(self, script: str) -> Any:
        """What a script answers in the page."""
        return self._do("POST", "/execute/sync", script=script, args=[])

    def complaints(self) -> list[str]:
        """Errors that the page caused in the browser since the last look: scripts, blocked or missing files."""
        logged = self._do("POST", "/se/log", type="browser")
        # A refusal by the API is what some tests are about; the browser logs its status, too.
        return [each["message"] for each in logged if each["level"] == "SEVERE" and "/ - Failed" not in each["message"]]

    def _retry(self, act: Any, seconds: float) -> None:
        """The page may be drawn again between finding an element and using it."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                act()
                return
            except httpx.HTTPStatusError as error:
                if time.monotonic() > deadline:
                    raise AssertionError(error.response.text) from error
                time.sleep(0.05)

    def _do(self, method: str, path: str, **body: Any) -> Any:
        answer = self._driver.request(method, self._session + path, json=body if method == "POST" else None)
        answer.raise_for_status()
        return answer.json()["value"]


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A window of a Chromium of its own, with its profile and downloads in a folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "chromedriver.log").open("wb") as log:
        process = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=log, stderr=log, start_new_session=True)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as driver:
            session = _new_session(driver, folder)
            try:
                yield Browser(driver, session, folder / "downloads")
            finally:
                driver.delete(f"/session/{session}")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _new_session(driver: httpx.Client, folder: Path) -> str:
    options = {
        "args": [*_FLAGS, f"--user-data-dir={folder / 'profile'}"],
        "prefs": {"download.default_directory": str(folder / "downloads")},
    }
    wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "SEVERE"}}
    deadline = time.monotonic() + 15
    while True:
        with contextlib.suppress(httpx.ConnectError):
            answer = driver.post("/session", json={"capabilities": {"alwaysMatch": wanted}})
            assert answer.is_success, answer.text
            return str(answer.json()["value"]["sessionId"])
        assert time.monotonic() < deadline, "chromedriver does not answer"
        time.sleep(0.05)
