"""What operators get: the control interface, and their orders on who may come in."""
