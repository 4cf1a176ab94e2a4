"""The SQL of KMS."""
