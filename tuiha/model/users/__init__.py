"""Users: their names, their mailboxes, and which server monitors them."""
