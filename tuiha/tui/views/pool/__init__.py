"""View 0: the pool's figures over 15 minutes."""
