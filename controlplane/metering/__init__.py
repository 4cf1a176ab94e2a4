"""What accounts used: counted as it happens, written to a ledger once a period, priced when it is asked for."""
