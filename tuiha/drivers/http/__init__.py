"""HTTP/1.1 towards nodes, as far as a poll needs it."""
