"""What `tuiha init` finds out about servers that are there already: facts and remarks, as codes."""
