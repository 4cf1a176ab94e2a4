"""The operations of CloudTrail, by noun."""
