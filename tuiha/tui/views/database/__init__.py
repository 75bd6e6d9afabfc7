"""View 2: the database pair."""
