"""Budgets: what may be spent in a period, who is told when it is, and what is done then."""
