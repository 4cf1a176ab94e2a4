"""The API's operations, by noun."""
