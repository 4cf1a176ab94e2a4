"""The operations of Route 53."""
