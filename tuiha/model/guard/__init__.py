"""The guard: standing orders under which a process starts an operator's operations."""
