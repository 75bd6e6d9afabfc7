"""Commands that look at pools and change nothing."""
