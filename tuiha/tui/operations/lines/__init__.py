"""Operations as lines of text."""
