"""The steps of operations on the database pair."""
