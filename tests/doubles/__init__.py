"""Doubles: what tests put in a real part's place. Each says why the real one cannot stand there.

A double passes the contract of the real part, in tests/doubles/test_contracts.py: it refuses what that refuses.
A double with one method that one test needs stands in that test.
"""
