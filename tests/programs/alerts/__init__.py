"""`python -m tests.programs.alerts`: faults of an embedded pool, and the alerts that reach a person."""
