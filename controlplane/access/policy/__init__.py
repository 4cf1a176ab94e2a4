"""The policy engine: pure functions from documents and a request to a decision. No I/O."""
