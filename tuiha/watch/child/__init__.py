"""Watching in a process of its own: it polls and records, and the screen's process gets what it found."""
