"""The rest of the drills by topic, as data: one entry for each place of the matrix of faults."""
