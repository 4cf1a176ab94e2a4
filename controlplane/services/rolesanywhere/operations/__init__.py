"""Roles Anywhere's operations, one module a noun."""
