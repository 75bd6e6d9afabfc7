"""The embedded pool: real servers on this machine, for the demo, the tests and the drills."""
