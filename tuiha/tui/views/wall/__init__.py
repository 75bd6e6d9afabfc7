"""Several pools: the wall, which only shows, and the list from which one is opened."""
