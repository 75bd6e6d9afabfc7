"""tuiha: a high-availability pool, and the terminal dashboard that shows and steers it."""

__version__ = "0.1.0"
