"""Rows, orders, columns and the filter: pure functions of a snapshot."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.samples import AT, SAMPLES, degraded, down, healthy, many, odd, server, split
from tuiha.model.facts import NodeKind
from tuiha.model.reports import ServerTarget
from tuiha.model.words import natural
from tuiha.tui.draw import figures
from tuiha.tui.draw.columns import NODES, ColumnSight, cells_of, placed, row_line, title_line
from tuiha.tui.draw.filter import parse
from tuiha.tui.draw.rows import ORDERS, Row, arranged, rows_of
from tuiha.tui.draw.spans import clean, plain, width_of
from tuiha.tui.draw.trends import Trends
from tuiha.words.states import within

SIGHT = ColumnSight(AT, Trends(lambda node, metric: ()))


def named(rows: tuple[Row, ...]) -> list[str]:
    return [row.name for row in rows]


def text_of(row: Row, width: int = 80) -> str:
    columns = placed([row], SIGHT, width, NODES)
    return plain(row_line(cells_of(row, columns, SIGHT), columns, width, False, "ground"))


def test_every_node_has_one_row() -> None:
    rows = rows_of(healthy(), AT)
    assert len(rows) == 12
    assert {row.kind for row in rows} == {NodeKind.SERVER, NodeKind.DATABASE, NodeKind.SPRAYER, NodeKind.MAIL}


def test_the_worst_comes_first() -> None:
    assert named(arranged(rows_of(degraded(), AT), ORDERS[0]))[:3] == ["mail2", "s2", "s1"]
    assert named(arranged(rows_of(split(), AT), ORDERS[0]))[:2] == ["s4", "db2"]


def test_the_columns_do_not_depend_on_how_the_pool_is() -> None:
    for width in (60, 80, 100, 120, 200):
        shown = {tuple((one.column.key, one.x) for one in placed(rows_of(SAMPLES[name]()[0], AT), SIGHT, width, NODES))
                 for name in ("healthy", "degraded", "down", "split")}
        assert len(shown) == 1


@pytest.mark.parametrize("sample", list(SAMPLES))
def test_no_mark_is_without_its_reason(sample: str) -> None:
    rows = rows_of(SAMPLES[sample]()[0], AT)
    assert [row.name for row in rows if row.rank < 3 and not row.note] == []


def test_the_fullest_server_comes_first_where_nothing_is_wrong() -> None:
    base = healthy()
    full = replace(base, servers=(*base.servers[:2], replace(base.servers[2], full=97.0), base.servers[3]))
    assert named(arranged(rows_of(full, AT), ORDERS[0]))[:2] == ["s3", "s1"]


def test_a_cause_comes_before_its_symptoms() -> None:
    rows = arranged(rows_of(down(), AT), ORDERS[0])
    assert named(rows)[:5] == ["db1", "s1", "s2", "s3", "s4"]
    assert {row.note for row in rows[1:5]} == {"no lease on db1"}


def test_a_target_is_shown_where_it_differs() -> None:
    base = healthy()
    told = replace(base, servers=(server("s1", target=ServerTarget.DRAIN), server("s2")))
    assert [row.shown for row in rows_of(told, AT)[:2]] == ["UP -> DRAIN", "UP"]


@pytest.mark.parametrize(("text", "width", "short"), [
    ("db1 did not confirm in time: it is down, or waits for db2", 40, "db1 did not confirm in time…"),
    ("connection refused", 18, "connection refused"), ("no answer in 2.0 s at all", 12, "no answer…"),
])
def test_a_cut_ends_between_two_clauses(text: str, width: int, short: str) -> None:
    assert within(text, width) == short


def test_names_sort_as_people_count() -> None:
    by_name = next(order for order in ORDERS if order.name == "node")
    names = [name for name in named(arranged(rows_of(many(12), AT), by_name)) if name.startswith("s")]
    assert names[:3] == ["s1", "s2", "s3"]
    assert names.index("s10") > names.index("s9")
    assert sorted(["a2b", "a10b", "a1"], key=natural) == ["a1", "a2b", "a10b"]


def test_sorting_by_a_figure_puts_the_unknown_last() -> None:
    by_users = next(order for order in ORDERS if order.name == "users")
    rows = arranged(rows_of(odd(), AT), by_users)
    assert rows[0].users == 1_234_567
    assert rows[-1].users is None


def test_a_value_older_than_three_polls_says_so_in_text() -> None:
    base = healthy()
    old = replace(base, servers=(server("s1", seen_at=AT - 240), *base.servers[1:]))
    row = next(row for row in rows_of(old, AT) if row.name == "s1")
    assert row.stale
    assert row.age == "4m!"
    line = text_of(row)
    assert "seen 4m00s ago" in line
    assert line[1] == "~"


def test_two_polls_late_is_not_stale() -> None:
    base = healthy()
    late = replace(base, interval=5.0, servers=(server("s1", seen_at=AT - 14),))
    assert not rows_of(late, AT)[0].stale
    assert rows_of(late, AT + 2)[0].stale


def test_a_server_on_another_database_is_marked_in_text() -> None:
    row = next(row for row in rows_of(split(), AT) if row.name == "s4")
    assert row.astray
    line = text_of(row, 120)
    assert "db2✗" in line
    assert line[1] == "✗"


def test_what_is_unknown_is_a_dash() -> None:
    base = healthy()
    unknown = replace(base, servers=(server("s1", None, full=None, limited_by=None, cpu_percent=None),))
    assert text_of(rows_of(unknown, AT)[0]).split()[4:6] == ["-", "-"]


@pytest.mark.parametrize(("width", "titles"), [
    (40, ["NODE", "STATE", "USERS"]),
    (59, ["NODE", "STATE", "USERS"]),
    (60, ["NODE", "STATE", "USERS", "FULL", "WHY"]),
    (79, ["NODE", "ROLE", "STATE", "USERS", "FULL", "WHY"]),
    (80, ["NODE", "ROLE", "STATE", "USERS", "FULL", "LIMITED BY", "WHY"]),
])
def test_columns_by_width(width: int, titles: list[str]) -> None:
    columns = placed(rows_of(healthy(), AT), SIGHT, width, NODES)
    assert [place.column.title for place in columns] == titles


def test_wider_tables_show_addresses_and_sparklines() -> None:
    rows = rows_of(healthy(), AT)
    assert "DB" in [place.column.title for place in placed(rows, SIGHT, 100, NODES)]
    assert "P95 15m" in [place.column.title for place in placed(rows, SIGHT, 120, NODES)]
    wide = [place.column.title for place in placed(rows, SIGHT, 220, NODES)]
    assert {"USERS 15m", "P95 15m", "DEVICES", "MEM", "ADDRESS"} <= set(wide)


@pytest.mark.parametrize("sample", list(SAMPLES))
@given(width=st.integers(4, 250))
def test_every_line_is_exactly_as_wide_as_the_table(sample: str, width: int) -> None:
    snapshot, _ = SAMPLES[sample]()
    rows = rows_of(snapshot, AT)
    columns = placed(rows, SIGHT, width, NODES)
    lines = [row_line(cells_of(row, columns, SIGHT), columns, width, True, "cursor") for row in rows]
    if width >= 30:
        assert {width_of(line.spans) for line in [*lines, title_line(columns, width, "state")]} == {width}
    starts = [place.x for place in columns]
    assert starts == sorted(starts)


@pytest.mark.parametrize(("text", "names"), [
    ("", {"s1", "s2", "s3", "s4", "db1", "db2", "spray1", "spray2", "mail1", "mail2", "mail3", "mail4"}),
    ("role:mail", {"mail1", "mail2", "mail3", "mail4"}),
    ("state:down", {"mail2"}),
    ("!state:up", {"mail2", "s2"}),
    ("users>500", {"s1", "s3", "mail1"}),
    ("users>=512 role:server", {"s1"}),
    ("!users>0 role:mail", {"mail2", "mail3", "mail4"}),
    ("spray", {"spray1", "spray2"}),
    ("ONCALL", {"s2"}),
    ("!mail !spray !db", set()),  # db1 is in every server's row
    ("!mail !spray !role:ary", {"s1", "s2", "s3", "s4"}),
    ("load<20", {"s2"}),
    ("db:db1 full>56", {"s1", "s3"}),
    ("age>100", {"mail2"}),
    ("!", {"s1", "s2", "s3", "s4", "db1", "db2", "spray1", "spray2", "mail1", "mail2", "mail3", "mail4"}),
])
def test_filter(text: str, names: set[str]) -> None:
    wanted = parse(text)
    found = {row.name for row in rows_of(degraded(), AT) if wanted.accepts(row)}
    assert wanted.error is None
    assert found == names


@pytest.mark.parametrize(("text", "part"), [
    ("user>5", "did you mean users>"),
    ("users>", "users> wants a number"),
    ("users>abc", "not 'abc'"),
    ("stat:down", "did you mean state:"),
    ("xyzzy:1", "there is node, role"),
])
def test_what_a_filter_cannot_understand_is_said(text: str, part: str) -> None:
    wanted = parse(text)
    assert wanted.error is not None
    assert part in wanted.error
    assert all(wanted.accepts(row) for row in rows_of(healthy(), AT))  # an unclear term hides nothing


@given(st.text(max_size=60))
def test_any_text_is_a_filter(text: str) -> None:
    wanted = parse(text)
    for row in rows_of(degraded(), AT):
        wanted.accepts(row)


@given(st.text(max_size=60))
def test_no_text_can_steer_the_terminal(text: str) -> None:
    assert clean(text).isprintable()


@pytest.mark.parametrize(("age", "text"), [
    (None, "-!"), (0.0, "<1s"), (0.99, "<1s"), (1.0, "1s"), (3.0, "3s"), (3.2, "3s!"), (99.0, "99s!"), (240.0, "4m!"),
    (7200.0, "2h!"), (90000.0, "25h!"), (864000.0, "10d!"),
])
def test_ages(age: float | None, text: str) -> None:
    assert figures.age_text(age, 1.0) == text
    assert len(text) <= 4


@given(st.floats(0, 1e9))
def test_an_age_has_four_cells_at_most(age: float) -> None:
    assert len(figures.age_text(age, 1.0)) <= 5
    assert len(figures.age_text(age, 1.0)) <= 4 or age > 99 * 86400


@pytest.mark.parametrize(("value", "text"), [
    (None, "-"), (0, "0"), (1024, "1,024"), (99_999, "99,999"), (123_456, "123k"), (1_234_567, "1.23M"),
])
def test_counts(value: int | None, text: str) -> None:
    assert figures.count(value) == text


@pytest.mark.parametrize(("value", "text"), [
    (None, "-"), (0, "0 B"), (999, "999 B"), (48_000, "48 kB"), (1_200_000, "1.2 MB"), (3_000_000_000, "3.0 GB"),
])
def test_sizes(value: int | None, text: str) -> None:
    assert figures.size(value) == text


def test_clock_and_duration() -> None:
    assert figures.clock(AT) == "03:12:07"
    assert [figures.duration(seconds) for seconds in (12, 252, 11_100, 187_200)] == ["12s", "4m12s", "3h05m", "2d04h"]
