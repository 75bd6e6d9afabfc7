"""The problems of the pool."""
