"""Operations as data: the catalogue of kinds, plans, evidence, and what can still be done about one."""
