"""Builders of the machine images (AMIs) that the cloud ships with."""
