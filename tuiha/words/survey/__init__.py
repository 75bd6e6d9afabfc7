"""What `tuiha init` says: remarks on what it found, and the comments in the file that it writes."""
