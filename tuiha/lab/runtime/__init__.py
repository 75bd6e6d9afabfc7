"""What an unprivileged user needs to run the parts: binaries and a Python."""
