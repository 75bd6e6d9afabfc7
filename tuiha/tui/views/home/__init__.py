"""Home: the verdict, the picture, the nodes, the last events."""
