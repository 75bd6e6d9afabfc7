"""What the screens are made of: widgets, and the screens that others build upon."""
