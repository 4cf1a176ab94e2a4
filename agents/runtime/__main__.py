"""The agent of one host: `python -m agents.runtime --home DIR --endpoint URL --name HOST [--join-token-file FILE]`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from agents.runtime.agent import Agent, Options


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="python -m agents.runtime", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="folder of the host's state")
    parser.add_argument("--endpoint", required=True, help="URL of the control plane")
    parser.add_argument("--name", required=True, help="the host's name in the cloud")
    parser.add_argument("--zone", help="availability zone that the host is in")
    parser.add_argument("--address", help="address by which other hosts reach this one (that of the default route)")
    parser.add_argument("--join-token-file", type=Path, help="file with the cloud's join token")
    parser.add_argument("--accelerator", choices=("auto", "kvm", "tcg"), default="auto", help="auto tries KVM out")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
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
        accelerator=None if given.accelerator == "auto" else {"kvm": "kvm", "tcg": "qemu"}[given.accelerator],
    )


async def _main(options: Options) -> None:
    agent = asyncio.create_task(Agent(options).run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, agent.cancel)
    try:
        await agent
    except asyncio.CancelledError:
        logging.getLogger(__name__).info("stopped; the machines go on")


if __name__ == "__main__":
    asyncio.run(_main(_options()))
