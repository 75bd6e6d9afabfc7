"""Faults that are planted in a real pool: `tuiha check` names each, its remedy is carried out, and it is gone.

`table.py` has the faults, one row each. `python -m tests.remedies` goes through all of them, one after the other.
"""
