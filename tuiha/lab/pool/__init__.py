"""The embedded pool: its supervisor, its processes, its run folder."""
