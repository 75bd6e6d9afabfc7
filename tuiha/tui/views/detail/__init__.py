"""The detail of one node."""
