"""The operations of SES v2."""
