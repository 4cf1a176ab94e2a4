"""`python -m controlplane.cli` is `celaje`."""

from controlplane.cli import main

main()
