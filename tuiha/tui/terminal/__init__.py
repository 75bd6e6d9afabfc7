"""How frames reach a terminal: only what differs, never waiting for a slow reader."""
