"""Reports beside the screens in words: alerts, backups, and rehearsed restores."""
