"""Ledgers: the pool's record of epoch, active database and protection."""
