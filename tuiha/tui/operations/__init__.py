"""Operations on the dashboard: from a key to a plan, its confirmation, its run and its result."""
