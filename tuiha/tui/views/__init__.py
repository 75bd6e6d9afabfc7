"""The views of the dashboard, each with its screen and what it draws."""
