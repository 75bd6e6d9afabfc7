"""What the views of nodes share."""
