"""Load for a pool: simulated devices, a mailer, and a checker that knows what every device must have seen."""
