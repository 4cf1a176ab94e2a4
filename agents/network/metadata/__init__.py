"""The instance metadata service, versions 1 and 2."""
