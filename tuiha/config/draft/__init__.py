"""Writing a configuration from what `tuiha init` found: commented YAML that the loader accepts."""
