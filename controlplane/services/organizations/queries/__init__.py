"""Organizations's SQL, one file a noun."""
