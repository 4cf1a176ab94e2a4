"""The agent of a host with containers.

python -m agents.container --home DIR --endpoint URL --name HOST [--join-token-file FILE]
"""

from __future__ import annotations

import asyncio

from agents.container.agent import ContainerAgent
from agents.runtime.start import arguments, prepare, work


async def _main() -> None:
    options = prepare(arguments("python -m agents.container", __doc__).parse_args())
    await work(ContainerAgent(options))


if __name__ == "__main__":
    asyncio.run(_main())
