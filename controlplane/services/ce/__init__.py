"""Cost Explorer: what was used and what it costs."""
