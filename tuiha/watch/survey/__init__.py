"""Looking at servers that are there already, for `tuiha init`: each within a deadline, and never changed."""
