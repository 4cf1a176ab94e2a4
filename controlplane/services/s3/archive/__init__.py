"""Storage classes that are no disk: where their bytes lie, and how they come back."""
