"""Everything that only looks: polls, snapshots, history, events."""
