"""What commands write: JSON documents, text, tables, and the two streams."""
