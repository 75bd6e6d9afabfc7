"""What is kept of operations: journals, their copies, their reading."""
