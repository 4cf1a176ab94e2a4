"""celaje up, celaje down."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from controlplane.cli.application import Failure, Home, application, errors, load_settings, output, status_of
from controlplane.settings import Settings, child_environment, notify_socket
from controlplane.supervise import control, source
from controlplane.supervise.logfiles import LogFile

START_SECONDS = 120.0
"""So long nothing may move on the way to ready."""
TRIES = 8


@application.command()
def up(
    home: Home = None,
    listen: Annotated[str | None, typer.Option(help="HOST:PORT of the endpoint.")] = None,
    workers: Annotated[int | None, typer.Option(help="Gateway processes.")] = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay, and log to standard error.")] = False,
    renew: Annotated[bool, typer.Option("--renew", help="Restart a cloud that runs older code.")] = False,
) -> None:
    """Start the cloud, in the background unless --foreground; nothing happens when it runs (but see --renew)."""
    settings = load_settings(home=home, listen=listen, gateway_workers=workers)
    process = None
    if renew and (old := status_of(settings)) is not None and old.get("source") != source.fingerprint():
        if old["endpoint"] != settings.endpoint:
            raise Failure(f"the code has changed since the cloud at {old['endpoint']} started: `celaje down` and `up`.")
        output.print("The code has changed: restarting the cloud. Machines and containers go on.")
        _stop(settings)
    if (status := status_of(settings)) is None:
        process = _start(settings, foreground=foreground)
    elif listen is not None and status["endpoint"] != settings.endpoint:
        raise Failure(f"the cloud in {settings.home} runs already, at {status['endpoint']}; `celaje down` first.")
    _wait_until_ready(settings, process)


def _start(settings: Settings, *, foreground: bool) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "controlplane.supervise"]
    environment = child_environment(**settings.environment(given_only=True))
    if foreground:
        if (notify := notify_socket()) is not None:
            environment["NOTIFY_SOCKET"] = notify
        os.execve(command[0], command, environment)  # noqa: S606
    try:
        settings.logs.mkdir(parents=True, exist_ok=True)
        with LogFile(settings.logs, "supervisor", settings.log_bytes).open() as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            )
    except PermissionError as error:
        raise Failure(f"{settings.home} belongs to another user; try with sudo, or give another --home.") from error


@application.command()
def down(
    machines: Annotated[
        bool, typer.Option("--machines", help="Switch this host's machines and containers off, too.")
    ] = False,
    home: Home = None,
) -> None:
    """Stop all processes of the cloud. Without --machines its machines and containers go on, and `celaje up` finds them
    again."""
    settings = load_settings(home=home)
    runs = status_of(settings) is not None
    if runs:
        _stop(settings)
    if machines:
        _switch_off(settings.home / "containers", "agents.container.down", "containers")
        _switch_off(settings.home / "agent", "agents.runtime.down", "machines")
    output.print("Stopped." if runs else f"No cloud was running in {settings.home}.")


def _switch_off(home: Path, module: str, what: str) -> None:
    if home.exists():
        errors.print(f"switching {what} off …")
        command = [sys.executable, "-m", module, "--home", str(home)]
        if subprocess.run(command, env=child_environment(), cwd="/", check=False).returncode:
            raise Failure(f"not all {what} could be switched off.")


def _stop(settings: Settings) -> None:
    with _progress() as progress:
        task = progress.add_task("stopping", total=None)
        for status in control.ask(settings.home / "control.sock", "down"):
            waiting = [p["name"] for p in status["processes"] if p["state"] not in ("stopped", "waiting")]
            progress.update(task, description=f"stopping {', '.join(waiting)}")
        while (settings.home / "control.sock").exists():
            time.sleep(0.02)


def _progress() -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    return Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)


def _wait_until_ready(settings: Settings, process: subprocess.Popen[bytes] | None) -> None:
    """Follow the start on the control socket. Raises Failure with the reason when it does not become ready."""
    began = moved = time.monotonic()
    waiting = ""
    with _progress() as progress:
        task = progress.add_task("starting", total=None)
        while time.monotonic() < moved + START_SECONDS:
            if process is not None and process.poll() is not None:
                raise Failure(" ".join(LogFile(settings.logs, "supervisor", settings.log_bytes).tail(1)))
            status = status_of(settings)
            if status is not None and status["ready"]:
                output.print(f"Celaje is ready at [bold]{settings.endpoint}[/bold] ({time.monotonic() - began:.1f} s).")
                return
            if (broken := _given_up(status)) is not None:
                raise Failure(f"{broken['name']} does not start: {broken['reason']}")
            if (summary := _summary(status)) != waiting:
                waiting, moved = summary, time.monotonic()
            progress.update(task, description=waiting)
            time.sleep(0.05)
    raise Failure(f"no progress for {START_SECONDS:.0f} s: {waiting}. See `celaje status` and `celaje logs`.")


def _given_up(status: dict[str, Any] | None) -> dict[str, Any] | None:
    """A process that failed so often in a row that more waiting is of no use (it is tried on nevertheless)."""
    processes = status["processes"] if status is not None else []
    failing = [p for p in processes if p["restarts"] >= TRIES and not _settled(p)]
    return failing[0] if failing else None


def _summary(status: dict[str, Any] | None) -> str:
    if status is None:
        return "starting the supervisor"
    waiting = [p["name"] + (f" ({p['reason']})" if p["reason"] else "") for p in status["processes"] if not _settled(p)]
    return f"waiting for {', '.join(waiting)}"


def _settled(process: dict[str, Any]) -> bool:
    return process["state"] in ("ready", "done")
