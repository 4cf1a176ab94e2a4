"""Builds an image: `python -m agents.images.build tiny|debian OUTDIR`. Needs root and the host's apt configuration."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from agents.images import debian, tiny

_BUILDERS = {"tiny": tiny.build, "debian": debian.build}


def main() -> int:
    """Build one image; leaves `manifest.json` and the files that it names in the output folder."""
    parser = argparse.ArgumentParser(prog="python -m agents.images.build", description=__doc__)
    parser.add_argument("image", choices=sorted(_BUILDERS))
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    output: Path = options.output.absolute()
    output.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()

    def say(step: str) -> None:
        print(f"{time.monotonic() - begun:6.1f} s  {options.image}: {step}", flush=True)

    with tempfile.TemporaryDirectory(prefix="celaje-image-", dir=output.parent) as work:
        Path(work).chmod(0o755)
        _BUILDERS[options.image](Path(work), output, say)
    say(f"ready in {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
