"""Running an operation: start, steps, stop, and the intent in the ledger."""
