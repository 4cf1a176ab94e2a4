"""Copies of what is written to a bucket in others, made behind the writes."""
