"""The operations of SQS."""
