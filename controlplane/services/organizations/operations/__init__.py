"""Organizations's operations."""
