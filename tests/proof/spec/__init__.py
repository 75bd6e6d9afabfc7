"""The protocol in TLA+, checked by TLC; and runs of the simulation, compared with it."""
