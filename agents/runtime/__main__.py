"""The agent of a host with machines.

python -m agents.runtime --home DIR --endpoint URL --name HOST [--join-token-file FILE]
"""

from __future__ import annotations

import asyncio

from agents.runtime.agent import Agent
from agents.runtime.start import arguments, prepare, work


async def _main() -> None:
    parser = arguments("python -m agents.runtime", __doc__)
    parser.add_argument("--accelerator", choices=("auto", "kvm", "tcg"), default="auto", help="auto tries KVM out")
    given = parser.parse_args()
    options = prepare(given)
    await work(Agent(options, {"auto": None, "kvm": "kvm", "tcg": "qemu"}[given.accelerator]))


if __name__ == "__main__":
    asyncio.run(_main())
