"""Drills: an embedded pool under load, a fault at a chosen moment, and the verdict of an independent checker."""
