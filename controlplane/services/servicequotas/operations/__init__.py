"""Service Quotas' operations."""
