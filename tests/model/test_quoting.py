"""Names as other languages have them; that PostgreSQL and libpq read them so is shown on the real ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuiha.model.quotes import Standbys, identifier, literal, pgpass, setting, shell, slot, standbys, wait_for

# What the configuration takes for the name of a node.
nodes = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z") | st.sampled_from(["first", "any", "FIRST", "1", "a-b"])


@given(nodes)
def test_whom_commits_wait_for_reads_back(name: str) -> None:
    assert standbys(wait_for(name)) == Standbys(1, (name,))


@given(st.text(st.characters(exclude_characters="\0"), min_size=1))
def test_so_does_any_name_at_all(name: str) -> None:
    assert standbys(wait_for(name)) == Standbys(1, (name,))


@pytest.mark.parametrize(("text", "expected"), [
    ("", Standbys(0, ())), ("db2", Standbys(1, ("db2",))), ("*", Standbys(1, ("*",))),
    ("db2, db3", Standbys(1, ("db2", "db3"))), ("FIRST 1 (db2)", Standbys(1, ("db2",))),
    ("first 2 (a , \"b,c\", \"d\"\"e\")", Standbys(2, ("a", "b,c", 'd"e'))), ("2 (a, b)", Standbys(2, ("a", "b"))),
    ('ANY 1 (db2, "any")', Standbys(1, ("db2", "any"), any=True)), ('FIRST 1 ("first")', Standbys(1, ("first",))),
    ("FIRST 1 (first)", None), ("any", None), ("FIRST 1 ()", None), ("a,", None), ("a b", None), ('"a', None),
])
def test_what_people_write(text: str, expected: Standbys | None) -> None:
    assert standbys(text) == expected


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    found = standbys(text)
    assert found is None or all(found.names)


def test_a_plain_name_is_written_as_it_is() -> None:
    assert wait_for("db2") == "FIRST 1 (db2)"
    assert wait_for("DB-2") == 'FIRST 1 ("DB-2")'
    assert wait_for("first") == 'FIRST 1 ("first")'
    assert identifier("tuiha_watch") == "tuiha_watch"
    assert [identifier(name) for name in ("all", "user", "current_user", "a-b", 'say "hi"', "Any_1")] == [
        '"all"', '"user"', '"current_user"', '"a-b"', '"say ""hi"""', '"Any_1"']


def test_commands_for_people() -> None:
    assert shell(["tuiha", "plan", "move"], ["anna", "s2"], ["--option", "a=b c"]) == (
        "tuiha plan move anna s2 --option 'a=b c'")
    assert shell(["tuiha", "plan", "move"], ["-anna; rm", "s2"], ["--json"]) == (
        "tuiha plan move --json -- '-anna; rm' s2")


def test_texts() -> None:
    assert literal("it's \\ so") == "'it''s \\ so'"
    assert setting("it's \\ so") == "'it''s \\\\ so'"
    assert pgpass("::1", "5432", "*", "a:b", "c\\d") == "\\:\\:1:5432:*:a\\:b:c\\\\d"
    assert slot("DB-1.east") == "db_1_east"
    for write in (literal, setting, pgpass, identifier):
        with pytest.raises(ValueError, match=r"PostgreSQL|line"):
            write("a\0b")
    with pytest.raises(ValueError, match="line"):
        setting("a\nb")
