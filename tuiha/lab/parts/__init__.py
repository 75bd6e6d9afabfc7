"""The parts of an embedded pool: databases, sprayers, mail servers, and the faults that each can have."""
