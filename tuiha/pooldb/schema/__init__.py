"""The enterprise database's schema, in numbered SQL files."""
