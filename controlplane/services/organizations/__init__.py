"""Organizations: accounts under one root, and the policies above them."""
