"""Authoritative DNS."""
