"""Probing what a configuration names, for `tuiha check`."""
