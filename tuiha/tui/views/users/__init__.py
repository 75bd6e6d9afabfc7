"""View 5: users, their devices, and the users of one server."""
