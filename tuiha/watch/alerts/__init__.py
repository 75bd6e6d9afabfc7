"""Alerts: a command when the verdict changes, and receivers that are told of each problem."""
