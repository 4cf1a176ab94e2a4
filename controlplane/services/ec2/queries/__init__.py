"""EC2's SQL, one file a noun."""
