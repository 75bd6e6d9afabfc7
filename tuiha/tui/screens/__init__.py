"""The screens of the dashboard; each is opaque, made once and used again."""
