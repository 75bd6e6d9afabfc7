"""This server and the enterprise database: the gate, the attachment behind it, its lease and its fence."""
