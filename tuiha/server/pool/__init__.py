"""This server among the others: heartbeat, bindings, routing, takeover."""
