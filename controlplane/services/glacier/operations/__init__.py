"""Glacier's operations, by noun."""
