"""One module per real system, each behind one of five small protocols (see `protocols`)."""
