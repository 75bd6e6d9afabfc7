"""View 3: the sprayers."""
