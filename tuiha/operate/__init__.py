"""Everything that changes a pool: plans, checks, steps, the journal and the runner."""
