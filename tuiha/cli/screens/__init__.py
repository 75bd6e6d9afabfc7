"""Starting the dashboard: the process that draws, the process that watches, and what they share."""
