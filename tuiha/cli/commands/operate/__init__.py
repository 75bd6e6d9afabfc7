"""Commands that act on a pool, and those that show what was done."""
