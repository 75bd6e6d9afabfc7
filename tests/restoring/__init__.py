"""`python -m tests.restoring`: docs/backup.md, step by step, on an embedded pool with a real device."""
