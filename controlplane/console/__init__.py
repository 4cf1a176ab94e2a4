"""The web console: static files that call the same API as every other client."""
