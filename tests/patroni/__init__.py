"""Drills of a pool whose pair Patroni manages; `python -m tests.patroni` runs them."""
