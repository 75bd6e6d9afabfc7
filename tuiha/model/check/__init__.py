"""What `tuiha check` concludes: findings with what they mean and what to do."""
