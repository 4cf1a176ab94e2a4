"""Service Quotas: what the services declare, and what accounts ask for beyond it."""
