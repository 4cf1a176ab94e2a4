"""The audit trail: what every call was, written behind the requests and read by CloudTrail."""
