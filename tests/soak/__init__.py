"""What runs for long, by name."""
