"""`python -m tests.upgrades`: a pool under load goes to another version, server by server, and back."""
