"""Lists of what is in a bucket, delivered to another each day or week."""

INVENTORY = "s3.inventory"
"""The reconciler that writes them, by the bucket's id and the configuration's."""
