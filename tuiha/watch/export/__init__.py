"""Watching for machines: metrics over HTTP, and alerts by a command."""
