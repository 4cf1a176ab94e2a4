"""Batch operations: one operation on all objects that a manifest names."""

JOB = "s3control.job"
"""The reconciler that runs them, by the job's id."""
SERVICE = "batchoperations.s3.amazonaws.com"
ENDED = frozenset({"Cancelled", "Complete", "Failed"})
