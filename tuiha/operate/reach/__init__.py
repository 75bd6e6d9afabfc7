"""How operations reach a pool: its drivers, the servers' control interface, the databases."""
