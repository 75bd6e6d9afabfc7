"""Operations on a pair that Patroni manages: Patroni is asked, and the outcome is verified here."""
