"""Plans: what an operation would do, judged on fresh facts."""
