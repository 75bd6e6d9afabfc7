"""Fuzz: whatever a peer sends, there is an answer or a message. `python -m tests.fuzz` runs all of it."""
