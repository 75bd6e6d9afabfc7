"""Operations on the command line: from a plan to its end, as text and as JSON."""
