"""SQL on the tables of `access/models.py`, split by noun."""
