"""What devices get: the device interface, their users and log-ins, and the sync history."""
