"""celaje status, celaje logs, celaje version."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from controlplane.cli.application import Failure, Home, application, load_settings, output, status_of
from controlplane.cli.owner import in_database
from controlplane.fleet import hosts
from controlplane.settings import Settings
from controlplane.supervise.cloud import agent_reason, containers_reason
from controlplane.supervise.logfiles import LogFile

SILENT_SECONDS = 60.0
_COLOURS = {"ready": "green", "done": "green", "failed": "red", "restarting": "red"}


@application.command()
def status(
    home: Home = None, as_json: Annotated[bool, typer.Option("--json", help="Print the document as JSON.")] = False
) -> None:
    """Show each process: healthy, or why not. Exit status 1 when something is not healthy."""
    settings = load_settings(home=home)
    document = status_of(settings)
    if document is None:
        raise Failure(f"no cloud runs in {settings.home}. Start it with `celaje up`.")
    if as_json:
        output.print_json(json.dumps(document))
    else:
        output.print(f"Celaje at [bold]{document['endpoint']}[/bold], state in {settings.home}")
        output.print(_table(document["processes"]))
        _print_hosts(settings)
    raise typer.Exit(0 if document["ready"] else 1)


def _print_hosts(settings: Settings) -> None:
    if reason := agent_reason(settings):
        output.print(f"\nNo hypervisor agent on this machine: {reason}.")
    if reason := containers_reason(settings):
        output.print(f"\nNo container agent on this machine: {reason}.")
    try:
        known = in_database(settings, lambda db, _: hosts.all_hosts(db))
    except Failure as failure:
        output.print(f"\nNothing is known of the hosts: {failure}")
        return
    table = Table("host", "kind", "state", "holds", "free", "runs on", box=None, pad_edge=False, header_style="bold")
    for row in known:
        silent = row["silent_seconds"]
        facts = row["facts"]
        state = f"[red]{trouble}[/red]" if (trouble := facts.get("trouble")) else "[green]ready[/green]"
        if silent >= SILENT_SECONDS:
            state = f"[red]silent for {silent:.0f} s[/red]"
        free = f"{row['memory_free'] / 1024:.1f} GiB, {row['disk_free']} GiB disk"
        table.add_row(row["name"], row["kind"], state, str(row["holds"]), free, _runs_on(facts))
    if known:
        output.print()
        output.print(table)


def _runs_on(facts: dict[str, str]) -> str:
    if "engine" in facts:
        return facts["engine"]
    why = facts.get("accelerator_reason")
    return facts.get("accelerator", "unknown") + (f" ({why})" if why else "")


@application.command()
def logs(
    process: Annotated[str | None, typer.Argument(help="One process, such as gateway-1; all when left out.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 50,
    home: Home = None,
) -> None:
    """Show what the processes logged."""
    settings = load_settings(home=home)
    paths = sorted(settings.logs.glob("*.log"))
    if process is not None:
        paths = [path for path in paths if path.stem == process]
        if not paths:
            raise Failure(f"no log of {process!r}; there are: {', '.join(p.stem for p in settings.logs.glob('*.log'))}")
    for path in paths:
        for line in LogFile(settings.logs, path.stem, settings.log_bytes).tail(lines):
            _print_line(path.stem, line)
    if follow:
        _follow(paths)


@application.command()
def version() -> None:
    """Print the version."""
    try:
        output.print(installed_version("celaje"))
    except PackageNotFoundError:
        output.print("unknown (not installed)")


def _table(processes: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("process", "state", "pid", "for", "restarts", "why"):
        table.add_column(column)
    for row in processes:
        colour = _COLOURS.get(row["state"], "yellow")
        age = f"{time.time() - row['since']:.0f} s" if row["since"] else ""
        state = f"[{colour}]{row['state']}[/{colour}]"
        table.add_row(row["name"], state, str(row["pid"] or ""), age, str(row["restarts"] or ""), row["reason"])
    return table


def _print_line(name: str, line: str) -> None:
    """Our own lines are JSON; show them for reading."""
    text = line
    if line.startswith("{"):
        try:
            record = json.loads(line)
            when = datetime.fromisoformat(record.pop("time")).astimezone(UTC)
            head = f"{when:%H:%M:%S.%f}"[:-3] + f" {record.pop('level'):7} {record.pop('message')}"
            traceback = record.pop("traceback", None)
            rest = " ".join(f"{key}={value}" for key, value in record.items() if key not in ("process", "logger"))
            text = f"{head} {rest}".rstrip() + (f"\n{traceback}" if traceback else "")
        except (ValueError, KeyError, TypeError):
            text = line
    output.print(f"{name:12} {text}", markup=False, soft_wrap=True)


def _follow(paths: list[Path]) -> None:
    sizes = {path: path.stat().st_size for path in paths}
    try:
        while True:
            time.sleep(0.2)
            for path, seen in sizes.items():
                size = path.stat().st_size
                if size < seen:  # rotated
                    seen = 0
                if size > seen:
                    with path.open("rb") as file:
                        file.seek(seen)
                        for line in file.read(size - seen).decode(errors="replace").splitlines():
                            _print_line(path.stem, line)
                sizes[path] = size
    except KeyboardInterrupt:
        return
