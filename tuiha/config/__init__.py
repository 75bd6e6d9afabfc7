"""YAML to validated settings, secrets, and the places where files live."""
