"""Databases of the pair."""
