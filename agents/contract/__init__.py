"""The documents that the control plane and the agents exchange. Pydantic models, no I/O."""
