"""What a drill does to a pool beyond killing and pausing its parts, by topic: one class or function for each fault."""
