"""The operations of Route 53 Resolver."""
