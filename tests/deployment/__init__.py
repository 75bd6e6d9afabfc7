"""docs/deploy.md, done: network namespaces stand for the hosts. `python -m tests.deployment` does all of it."""
