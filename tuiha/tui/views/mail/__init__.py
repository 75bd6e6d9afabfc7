"""View 4: the mail clusters."""
