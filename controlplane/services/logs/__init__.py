"""CloudWatch Logs: groups, their streams, and the events that are written into them."""
