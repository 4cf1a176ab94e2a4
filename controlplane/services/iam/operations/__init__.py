"""IAM's operations, one module a noun."""
