"""Watching for machines: metrics over HTTP."""
