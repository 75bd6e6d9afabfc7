"""IP sprayers."""
