"""All benchmarks, or those named: python -m tests.benchmarks [NAME …]."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main() -> None:
    """Run each module `bench_*.py` beside this file."""
    found = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    for name in sys.argv[1:] or found:
        print(f"\n== {name}", flush=True)
        importlib.import_module(f"tests.benchmarks.bench_{name}").main()


if __name__ == "__main__":
    main()
