"""The tables of sentences: one for each code, no code twice, and figures as people read them."""

from __future__ import annotations

import pytest

from tuiha.model.operations.evidence import Back, Doing, Done, Ending, Fault, Known, Left, Loses, StepId
from tuiha.model.operations.judgements import DONE_BY_MANAGER, Found, Mend, Wanted
from tuiha.model.operations.plans import OperationStatus
from tuiha.model.operations.refusals import Refused
from tuiha.model.operations.statements import Code, Statement, of_document, plain
from tuiha.words.operations import TABLES, known, text
from tuiha.words.results import MEANINGS, WORDS

FAMILIES: tuple[type[Code], ...] = (
    Found, Wanted, Mend, StepId, Done, Back, Doing, Fault, Known, Left, Loses, Ending, Refused)


def test_every_code_has_a_sentence_and_no_two_families_share_one() -> None:
    codes = [str(code) for family in FAMILIES for code in family]
    assert len(codes) == len(set(codes))
    assert set(codes) == TABLES.keys()
    assert MEANINGS.keys() == WORDS.keys() == set(OperationStatus)


def test_a_remedy_that_is_an_operation_which_a_manager_does_is_known_by_its_code() -> None:
    for code in Mend:
        template = TABLES[code]
        if isinstance(template, str) and any(f"`tuiha plan {kind}`" in template for kind in ("degrade", "protect")):
            assert code in DONE_BY_MANAGER, code


@pytest.mark.parametrize(("statement", "sentence"), [
    (Found.BEHIND(bytes=17_825_792, seconds=2.2), "17,825,792 bytes, 2.2 s"),
    (Found.BEHIND(bytes=None, seconds=None), "unknown"),
    (Found.FREE(bytes=1 << 30), "1.0 GB free"),
    (Found.NAMES(names=[]), "none"),
    (Found.NAMES(names=["s1", "s2"]), "s1, s2"),
    (Found.FOREIGN(systems={"2", "1"}), "FOREIGN: 1, 2"),
    (Done.STOPPED(position=0x5A3C1F28, timeline=7), "stopped, shutdown checkpoint at 0/5A3C1F28, timeline 7"),
    (Done.HELD(servers=2, held_at=1795366738.5), "2 servers hold, no request in progress; held at 16:58:58.500Z"),
    (StepId.HAND_OVER(users=1), "hand over 1 user"),
    (StepId.TAKE_BACK(step=StepId.FENCE(old="db1", new="db2")),
     "undoing: fence db1: end its leases and sessions"),
    (Fault.NOT_HELD(failed={"s1": "no answer", "s2": plain("busy")}), "not held: s1: no answer; s2: busy"),
    (Ending.TAKEN_BACK(why=Ending.TAKEN_BACK_BY(who="ada"), left=[]), "undone by ada; everything is undone"),
    (Loses.FOR_GOOD(devices=1, changes=60_000), "1 device and 60,000 changes, permanently"),
])
def test_sentences(statement: Statement, sentence: str) -> None:
    assert text(statement) == sentence
    assert of_document(statement.document()) == statement
    assert text(of_document(statement.document())) == sentence


def test_a_statement_of_another_version_is_not_known() -> None:
    assert known(Found.NAMES(names=["s1"]))
    assert not known(Found.NAMES())  # it may have other figures there
    assert not known(Statement("found.of-the-next-version"))
    assert text(None) == ""
