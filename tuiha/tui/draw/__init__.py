"""Pure functions from facts to lines. No module here imports textual."""
