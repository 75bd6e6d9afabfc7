"""Facts and judgements about the database pair."""
