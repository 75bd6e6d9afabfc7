"""Statements on the tables of the enterprise database, by subject."""
