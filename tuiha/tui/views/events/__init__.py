"""View 7: what changed, and when."""
