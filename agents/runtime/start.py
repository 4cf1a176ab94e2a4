"""Starting an agent: its arguments, its log, its signals."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from agents.runtime.member import Member, Options


def arguments(prog: str, description: str | None) -> argparse.ArgumentParser:
    """The arguments that every agent takes."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("--home", type=Path, required=True, help="folder of the host's state")
    parser.add_argument("--endpoint", required=True, help="URL of the control plane")
    parser.add_argument("--name", required=True, help="the host's name in the cloud")
    parser.add_argument("--zone", help="availability zone that the host is in")
    parser.add_argument("--address", help="address by which other hosts reach this one (that of the default route)")
    parser.add_argument("--join-token-file", type=Path, help="file with the cloud's join token")
    parser.add_argument("--verbose", action="store_true")
    return parser


def prepare(given: argparse.Namespace) -> Options:
    """Log as told, and answer the options."""
    logging.basicConfig(
        level=logging.DEBUG if given.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    return Options(
        home=given.home.absolute(),
        endpoint=given.endpoint,
        name=given.name,
        zone=given.zone,
        address=given.address,
        join_token_file=given.join_token_file,
    )


async def work(agent: Member) -> None:
    """Run an agent until a signal comes."""
    running = asyncio.create_task(agent.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        logging.getLogger(__name__).info("stopped; what it kept goes on")
