"""What every request passes: the application, the guard of its connections, limits, audit, metrics, problems."""
