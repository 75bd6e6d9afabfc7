"""What happens in a drill: faults, moments, operators and their hands."""
