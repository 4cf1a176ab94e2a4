"""S3 Control's operations, by noun."""
