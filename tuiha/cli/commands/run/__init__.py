"""Commands that run a part of a pool, or an embedded pool."""
