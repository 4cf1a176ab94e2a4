"""SQL over one object, by DuckDB in a process of its own that can read nothing else."""
