"""Pool servers."""
