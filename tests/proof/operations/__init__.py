"""The real coordinator on a pretended pool and on virtual time, killed at every await."""
