"""Lines 1 to 3, the picture, the plots: pure functions of a snapshot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.tui.samples import AT, SAMPLES, SampleFeed, degraded, down, healthy, many, server, split
from tuiha.model.facts import Snapshot
from tuiha.model.reports import ServerState, SprayerState
from tuiha.tui.draw.head import head
from tuiha.tui.draw.marks import bar, buckets, gauge, nice_limit, plot, sparkline
from tuiha.tui.draw.spans import Line, plain, width_of
from tuiha.tui.draw.trends import Trends
from tuiha.tui.draw.view import View
from tuiha.tui.views.detail.sheet import detail_lines
from tuiha.tui.views.home.picture import HEAVY, LIGHT, Strokes, picture, picture_rows
from tuiha.tui.views.home.picture_database import mail_lines


def node_lines(snapshot: Snapshot, node: str, width: int = 100) -> tuple[Line, ...]:
    return detail_lines(view(snapshot), node, Trends(SampleFeed(snapshot).history), width)


def view(snapshot: Snapshot | None, now: float = AT + 0.2) -> View:
    return View("corp-east", now, snapshot=snapshot)


def drawn(snapshot: Snapshot, width: int = 120) -> list[Line]:
    return list(picture(snapshot, Trends(SampleFeed(snapshot).history), width, picture_rows(snapshot, 9)))


def texts(snapshot: Snapshot, width: int = 120) -> list[str]:
    return [plain(line) for line in drawn(snapshot, width)]


def test_lines_one_and_two_say_what_is_broken_and_what_comes_next_at_80_columns() -> None:
    one, two, three = (plain(line) for line in head(view(degraded()), 80))
    assert "DEGRADED" in one
    assert " LOCKED" in one
    assert one.rstrip().endswith("03:12:07Z")
    assert "! mail2 DOWN 4m12s  imap 143: connection refused" in two
    assert two.rstrip().endswith("next: failover-mail mail2")
    assert "db1 PRIMARY" in three
    assert "db2 SECONDARY" in three


def test_at_60_columns_nothing_of_lines_two_and_three_is_cut() -> None:
    _, two, three = (plain(line) for line in head(view(degraded()), 60, {"f": "f"}))
    assert two.strip() == "! mail2 DOWN 4m12s  imap 143: connection refused   next: f"
    assert three.strip() == "DB  ● db1 PRIMARY rw ──▶ ● db2 SECONDARY ro  sync, 0 B"
    assert plain(head(view(split()), 60)[2]).strip() == \
        "DB  ● db1 PRIMARY ╌╳╌ ✗ db2 PRIMARY    3 on db1 / 1 on db2"


def test_line_two_says_that_there_is_nothing_to_do() -> None:
    assert plain(head(view(healthy()), 80)[1]).strip() == "all good, no action needed"


def test_before_the_first_look_nothing_is_claimed() -> None:
    one, two, _ = (plain(line) for line in head(view(None), 80))
    assert "HEALTHY" not in one
    assert "waiting for the first answers" in two


def test_a_split_is_on_a_red_ground_and_named_on_line_three() -> None:
    one, two, three = head(view(split()), 80)
    assert (one.ground, two.ground) == ("bad", "alarm")
    assert "3 on db1 / 1 on db2" in plain(three)


def test_old_data_is_marked_on_line_one() -> None:
    one, two, three = head(view(split(), AT + 9), 80)
    assert "was SPLIT  at 03:12:07Z, 9s ago" in plain(one)
    assert "age 9s!" in plain(one)
    assert {line.ground for line in (one, two, three)} == {"ground"}
    assert "SPLIT" not in plain(two), "what was wrong then may be over"
    assert {style for text, style in (*two.spans, *three.spans) if text.strip()} == {"quiet"}


@pytest.mark.parametrize("sample", list(SAMPLES))
@pytest.mark.parametrize("width", [20, 40, 60, 79, 80, 99, 100, 120, 161, 200])
def test_lines_are_as_wide_as_the_screen(sample: str, width: int) -> None:
    snapshot, _ = SAMPLES[sample]()
    lines = [*head(view(snapshot), width)]
    if width >= 100:
        lines += [*drawn(snapshot, width), *mail_lines(snapshot, width, 4)]
    assert {width_of(line.spans) for line in lines} == {width}


def test_each_server_has_a_line_to_its_database() -> None:
    rows = texts(healthy())
    assert rows[1].count("▶") == 2  # into s1, and into db1
    assert "╶┬───▶ ● db1 PRIMARY" in rows[1]
    assert all("┤" in row for row in rows[2:4])
    assert "┘" in rows[4]
    assert "▼ synchronous" in rows[3]


def test_a_wrong_database_is_reached_by_a_heavy_line_on_red_ground() -> None:
    rows = drawn(split())
    wrong = next(row for row in rows if "s4" in plain(row))
    assert "╺━━━━▶ ✗ db2 PRIMARY" in plain(wrong)
    grounds = {style.partition("@")[2] for text, style in wrong.spans if "s4" in text or "━━▶" in text}
    assert grounds == {"alarm"}
    assert "3 on db1 / 1 on db2" in plain(rows[0])
    assert "TWO PRIMARIES" in plain(rows[3])


def test_lines_to_different_databases_may_cross() -> None:
    base = split()
    crossed = replace(base, servers=(
        server("s1", 489, database="db2"), server("s2"), server("s3"), server("s4"),
    ))
    rows = texts(crossed)
    assert "╺┯━┱─▶ ● db1" in rows[1]  # heavy from s1 down to db2, light from the others up to db1
    assert "▶ ✗ db2" in rows[4]


def test_a_dead_primary_is_named_and_no_server_hides_it() -> None:
    rows = texts(down())
    assert "db1" in rows[1]
    assert "DOWN" in rows[1]
    assert all("CUT OFF" in row for row in rows[1:5])
    assert "not replicating" in rows[3]


def test_a_server_that_is_down_has_no_line() -> None:
    base = healthy()
    gone = server("s2", 0, state=ServerState.DOWN, alive=False, availability_index=None, note="connection refused")
    row = texts(replace(base, servers=(base.servers[0], gone, *base.servers[2:])))[2]
    assert "╌╌╳" in row
    assert "DOWN" in row


def test_more_servers_than_rows_are_summed_up_but_never_one_that_is_wrong() -> None:
    base = many(40)
    wrong = replace(base, servers=(*base.servers[:-1], replace(base.servers[-1], database="db2")))
    rows = texts(wrong)
    assert len(rows) == 10
    assert "32 more servers" in rows[-1]
    assert any("s40" in row and "✗" in row for row in rows)


def test_a_sprayer_that_is_down_sends_nothing() -> None:
    base = healthy()
    first = replace(base.sprayers[0], state=SprayerState.DOWN, active=False, error="no answer")
    rows = texts(replace(base, sprayers=(first, base.sprayers[1])))
    assert "✗ spray1     DOWN" in rows[1]
    assert "╶" not in rows[1][:22]
    assert "╶" in rows[3][:22]


def test_mail_clusters_stand_under_one_another() -> None:
    lines = [plain(line) for line in mail_lines(degraded(), 120, 4)]
    assert [line.index("mail1") for line in lines[:1]] == [line.index("mail3") for line in lines[1:]]
    assert "mail2  DOWN" in lines[0]
    assert "1 more clusters, 2 servers: all up" not in lines[1]
    assert len(mail_lines(degraded(), 120, 1)) == 1


def test_the_detail_says_what_a_problem_means_and_what_comes_next() -> None:
    lines = "\n".join(plain(line) for line in node_lines(degraded(), "mail2"))
    assert "monitored through mail1" in lines
    assert "tuiha plan failover-mail mail2" in lines


def test_the_pools_problem_concerns_the_server_that_it_names() -> None:
    lines = "\n".join(plain(line) for line in node_lines(split(), "s4"))
    assert "SPLIT" in lines
    assert "SPLIT" not in "\n".join(plain(line) for line in node_lines(split(), "s1"))


@pytest.mark.parametrize("node", ["s1", "db1", "db2", "spray1", "mail1", "gone"])
@pytest.mark.parametrize("width", [30, 58, 80, 120])
def test_every_kind_of_node_has_a_detail(node: str, width: int) -> None:
    lines = node_lines(healthy(), node, width)
    assert any(node in plain(line) for line in lines)
    assert max(width_of(line.spans) for line in lines) <= max(width, 50)


def test_strokes_join_by_weight() -> None:
    strokes = Strokes(5, 3)
    strokes.across(1, 0, 4, "well", LIGHT)
    strokes.along(2, 0, 2, "bad", HEAVY, rank=5)
    rows = ["".join(text for text, _ in strokes.row(y)) for y in range(3)]
    assert rows == ["  ╻  ", "╶─╂─╴", "  ╹  "]
    assert ("╂", "bad") in strokes.row(1)


def test_bars_and_gauges_fill_their_width() -> None:
    for value in (None, 0, 1, 250, 500, 900):
        assert width_of(bar(value, 500, 10, "flow")) == 10
        assert width_of(gauge(value, 500, 8, "well")) == 8
    assert bar(1, 500, 10, "flow")[0][0] == "╸"  # a few are not none


def test_a_sparkline_is_still_between_two_polls() -> None:
    values = [float(number % 50) for number in range(900)]
    assert sparkline(buckets(values, 10, 9000.0)[:-1]) == sparkline(buckets([*values[1:], 3.0], 10, 9001.0)[:-1])


def test_what_was_not_known_is_a_gap() -> None:
    means = buckets([None] * 450 + [5.0] * 450, 10, 9000.0)
    assert means[:4] == [None] * 4
    assert sparkline(means)[:4] == "    "


def test_scales_are_round_and_hold_the_value() -> None:
    for value in (0.3, 1, 1.2, 7, 101, 512, 99_999):
        assert nice_limit(value) >= value
    assert nice_limit(512) == 600


def test_a_plot_stands_on_its_ground() -> None:
    rows = plot([0.0, 5.0, 10.0, 10.0], 2, 2, 10.0)
    assert rows[1][1] == "⣿"
    assert rows[0][1] == "⣿"
    assert rows[0][0] == " "
