"""Route 53: hosted zones, records, and health checks that decide between them."""
