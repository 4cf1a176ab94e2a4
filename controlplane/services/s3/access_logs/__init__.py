"""Server access logs: a line for each request to a bucket that wants it, delivered to another bucket."""
