"""The command line and the palette."""
