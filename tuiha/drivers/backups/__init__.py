"""Where the backups of the pair are: pgBackRest, Barman, or files."""
