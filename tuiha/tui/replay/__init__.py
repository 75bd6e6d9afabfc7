"""Time travel: the pool as it was recorded."""
