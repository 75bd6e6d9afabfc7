"""What a pool is: frozen facts and pure functions. No I/O happens on this floor."""
