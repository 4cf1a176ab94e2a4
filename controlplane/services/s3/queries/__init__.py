"""SQL, by noun."""
