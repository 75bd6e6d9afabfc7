"""The views of nodes and of events: what they show, at every size, and how one moves between them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.doubles.operator import FakeOperator
from tests.tui.samples import AT, SAMPLES, SampleFeed, degraded, degraded_events, healthy, many, recorded, split
from tests.tui.test_app import dashboard, lines, seen, text
from tests.tui.test_users_view import page
from tuiha.model.codes import plan
from tuiha.model.facts import Severity, Snapshot
from tuiha.model.reports import AddressRow, BackendState, ServerState
from tuiha.tui.app import Dashboard
from tuiha.tui.draw.plots import Metric, Plotted, fitting_plots, plot_lines, scale, seconds
from tuiha.tui.draw.rows import arranged
from tuiha.tui.draw.spans import Line, plain, width_of
from tuiha.tui.draw.trends import Trends
from tuiha.tui.draw.view import View
from tuiha.tui.keys import VIEWS
from tuiha.tui.looks import Looks
from tuiha.tui.theme import load_theme
from tuiha.tui.views.database.matrix import matrix_items
from tuiha.tui.views.database.panel import panel_lines, position, waited_for
from tuiha.tui.views.detail.screen import DetailScreen
from tuiha.tui.views.detail.sheet import detail_lines
from tuiha.tui.views.events.rows import ORDERS, event_items
from tuiha.tui.views.events.screen import EventsScreen
from tuiha.tui.views.home.screen import HomeScreen
from tuiha.tui.views.mail.rows import cluster_lines, mail_items
from tuiha.tui.views.sprayers.rows import holding, sprayer_items, that_carry
from tuiha.tui.views.users.pages import PAGE
from tuiha.watch.lookup import NoPage
from tuiha.watch.recording.codec import pack, unpack

SIZES = ((60, 20), (80, 24), (120, 40), (200, 60), (40, 8))
OURS = ("2", "3", "4", "7", "0")


def of(snapshot: Snapshot, name: str) -> tuple[str, ...]:
    """The cells of a row of the matrix."""
    return next(tuple(cell for cell, _ in item.cells) for item in matrix_items(snapshot, AT) if item.name == name)


# The matrix and the panel


def test_each_server_is_in_the_column_of_its_database_and_nowhere_else() -> None:
    assert of(healthy(), "s1") == ("● 4 sessions", "·")
    assert of(split(), "s4") == ("·", "✗ HERE 4 sessions")
    assert of(split(), "s1") == ("● 4 sessions", "·")


def test_a_server_that_is_down_is_on_no_database() -> None:
    base = healthy()
    gone = replace(base.servers[0], state=ServerState.DOWN, database=None)
    snapshot = replace(base, servers=(gone, *base.servers[1:]))
    assert of(snapshot, "s1")[0].startswith("·")


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_a_split_fills_a_line_with_red(width: int) -> None:
    def alarms(snapshot: Snapshot) -> list[Line]:
        return [line for line in panel_lines(snapshot, width, 8) if line.ground == "alarm"]

    (line,) = alarms(split())
    assert "SPLIT: s4 not on db1" in plain(line)
    assert width_of(line.spans) == width
    assert alarms(healthy()) == []


def test_two_clusters_without_a_common_history_are_told() -> None:
    base = healthy()
    other = replace(base.databases[1], system_identifier="7400000000000000000")
    said = panel_lines(replace(base, databases=(base.databases[0], other)), 120, 8)[0]
    assert "different clusters" in plain(said)
    assert said.ground == "alarm"


def test_the_panel_names_what_an_operator_compares() -> None:
    said = "\n".join(plain(line) for line in panel_lines(healthy(), 120, 13))
    for word in ("7401234567890123456", "timeline", "0/4D79000", "0 B, 1 ms  sync", "wait for db2", "db2 keeps 0 B",
                 "s1 4  s2 4", "412 transactions/s"):
        assert word in said


def test_a_pair_without_its_primary_claims_nothing() -> None:
    said = "\n".join(plain(line) for line in panel_lines(SAMPLES["down"]()[0], 120, 13))
    assert "none (primary)" not in said
    assert "not replicating" in said
    assert "connection refused" in said


@pytest.mark.parametrize(("names", "said"), [
    ("db2", "db2"), ("FIRST 1 (db2)", "db2"), ('ANY 1 (db2, "db3")', "1 of db2, db3"), ("2 (a, b)", "a, b"), ("*", "*"),
])
def test_what_commits_wait_for_in_words(names: str, said: str) -> None:
    assert waited_for(names) == said


def test_a_position_reads_as_postgresql_writes_it() -> None:
    assert position((3 << 32) + 0x4C4B40) == "3/4C4B40"
    assert position(None) == "-"


# Sprayers, mail, events


def test_under_each_sprayer_are_its_servers() -> None:
    names = [item.name for item in sprayer_items(healthy(), AT)]
    assert names[:6] == ["spray1", "spray1/s1", "spray1/s2", "spray1/s3", "spray1/s4", "spray2"]


def test_who_holds_the_address_and_who_says_so() -> None:
    by_sessions = healthy().sprayers
    assert [holding(one)[0] for one in by_sessions] == ["carries devices, by its sessions", "standby: no sessions"]
    rows = (AddressRow("192.0.2.101", "MASTER"), AddressRow("192.0.2.102", "BACKUP"))
    told = replace(by_sessions[1], addresses=rows)
    assert holding(told)[0] == "has 192.0.2.101, by keepalived"
    assert holding(replace(told, addresses=rows[1:]))[0] == "has no address, by keepalived"
    snapshot = replace(healthy(), sprayers=(by_sessions[0], told))
    assert unpack(Snapshot, pack(snapshot)).sprayers[1].addresses == rows


def test_a_server_is_judged_by_what_the_sprayer_sees() -> None:
    base = healthy()
    spray = base.sprayers[0]
    drained = replace(spray, backends=(replace(spray.backends[0], state=BackendState.DRAIN), *spray.backends[1:]))
    items = sprayer_items(replace(base, sprayers=(drained, base.sprayers[1])), AT)
    assert [item.rank for item in items[:3]] == [3, 1, 3]


def test_who_stands_in_for_whom() -> None:
    stands = {item.name: item.stands for item in mail_items(degraded(), AT)}
    assert stands == {"mail1": "for mail2", "mail2": "-> mail1", "mail3": "", "mail4": ""}


def test_troubled_clusters_come_first_and_the_rest_is_counted() -> None:
    base = degraded()
    more = tuple(replace(base.mail[0], name=f"m{n}", cluster=f"c{n}") for n in range(9))
    said = [plain(line) for line in cluster_lines(mail_items(replace(base, mail=(*more, *base.mail)), AT), 100, 4)]
    assert "east" in said[0]
    assert "mail2 DOWN 4m -> mail1" in said[0]
    assert "and 8 more clusters" in said[-1]


def test_a_mail_server_without_a_partner_says_so() -> None:
    base = degraded()
    alone = tuple(one for one in base.mail if one.name != "mail1")
    assert mail_items(replace(base, mail=alone), AT)[0].stands == "no other server"


def test_equal_events_are_rows_of_their_own_and_keep_their_names() -> None:
    one = recorded(AT - 5, Severity.NOTE, "s1", "UP -> DOWN")
    early = replace(one, at=AT - 15)
    before = event_items((one, early), AT)
    after = event_items((recorded(AT, Severity.BAD, "s2", "x"), one, early), AT + 1)
    assert len({item.name for item in before}) == 2
    assert [item.name for item in after[1:]] == [item.name for item in before]
    assert arranged(after, ORDERS[0])[0].event.subject == "s2"


# Plots


def test_a_plot_of_milliseconds_uses_its_height() -> None:
    assert scale(0.008) == 0.008
    assert scale(0.0012) == 0.0015
    drawn = plot_lines((Plotted("db2", Metric("lag_seconds", "LAG", seconds, least=0.001)),),
                       Trends(lambda *_: (0.004,) * 900), AT, 40, 3)
    assert "now 4 ms" in plain(drawn[0])
    assert plain(drawn[1]).strip()


def test_a_plot_has_its_scale_at_the_edge_and_shows_no_more_of_the_past_than_is_known() -> None:
    young = Trends(lambda *_: (None,) * 800 + tuple(float(n) for n in range(100)))
    drawn = [plain(line) for line in plot_lines((Plotted("s1", Metric("users", "USERS", str)),), young, AT, 60, 4)]
    assert "peak 99.0" in drawn[0]
    assert drawn[1].rstrip().endswith("100.0")
    assert drawn[4].rstrip().endswith(" 0")
    assert "2 min ago" in drawn[5]
    assert sum(character != " " for character in drawn[4][:50]) > 35  # of 120 seconds 100 are known


def test_what_is_not_known_takes_no_room_beside_what_is() -> None:
    def half(node: str, _metric: str) -> tuple[float, ...]:
        return (5.0,) * 900 if node == "s1" else ()

    metric = Metric("users", "USERS", str)
    drawn = fitting_plots((Plotted("s2", metric), Plotted("s1", metric)), Trends(half), AT, 80, 10)
    assert "nothing known yet" not in "".join(map(plain, drawn))
    assert sum(plain(line).count("USERS") for line in drawn) == 1
    assert not fitting_plots((Plotted("s2", metric),), Trends(half), AT, 80, 10)


def test_a_standby_that_carries_nothing_has_no_plots() -> None:
    trends = Trends(lambda node, _metric: (0.0,) * 900 if node == "spray2" else (0.0, 3.0))
    assert that_carry(("spray1", "spray2"), trends) == ("spray1",)
    assert that_carry(("spray2",), trends) == ("spray2",)


def test_a_plot_of_what_was_never_recorded_says_so() -> None:
    drawn = plot_lines((Plotted("x", Metric("y", "Y", seconds)),), Trends(lambda *_: ()), AT, 40, 3)
    assert "nothing known yet" in plain(drawn[1])


# Details


def told(snapshot: Snapshot, node: str, width: int = 100) -> str:
    view, trends = View("corp-east", AT, snapshot=snapshot), Trends(SampleFeed(snapshot).history)
    return "\n".join(plain(line) for line in detail_lines(view, node, trends, width))


def test_the_detail_of_a_server_has_its_machine_and_its_commands() -> None:
    said = told(healthy(), "s1")
    for words in ("HOST  cpu", "37%", "disk", "61%", "load 1.4 of 8", "tuiha plan drain s1", "tuiha plan enable s1",
                  "REQUESTS HELD", "CPU OF THE HOST", "7401234567890123456", "db1 4"):
        assert words in said


def test_a_server_that_does_not_tell_of_its_machine_has_no_such_line() -> None:
    base = healthy()
    quiet = replace(base.servers[0], host_cpu_percent=None, host_memory_percent=None, host_disk_percent=None,
                    host_load=None)
    assert "HOST  cpu" not in told(replace(base, servers=(quiet, *base.servers[1:])), "s1")


def test_the_detail_of_a_database_has_its_lag_slots_and_commands() -> None:
    assert "SECONDS BEHIND" in told(healthy(), "db2")
    said = told(healthy(), "db1")
    for words in ("db2 active, keeps 0 B, reserved", "s1 4   s2 4", "tuiha plan switchover", "0/4D79000",
                  "commits wait for db2"):
        assert words in said


def test_the_detail_of_a_mail_server_says_since_when_and_what_can_be_done() -> None:
    said = told(degraded(), "mail2")
    assert "failing for             4m" in said
    assert "tuiha plan failover-mail mail2" in said
    assert "tuiha plan return-mail mail2" in said


def test_the_worst_comes_first_in_a_detail() -> None:
    said = told(split(), "s4").splitlines()
    assert next(number for number, line in enumerate(said) if "SPLIT" in line) < 3


async def test_the_keys_of_operations_mean_the_node_of_the_detail() -> None:
    async with dashboard(degraded()).run_test(size=(80, 24)) as pilot:
        await pilot.press("4", "j", "enter")
        screen = pilot.app.screen
        assert isinstance(screen, DetailScreen)
        assert screen.row_under_cursor is not None
        assert screen.row_under_cursor.name == "mail2"


# Screens


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_every_view_at_every_size_of_every_sample(size: tuple[int, int]) -> None:
    for sample in SAMPLES.values():
        snapshot, happened = sample()
        async with dashboard(None, SampleFeed(snapshot, happened)).run_test(size=size) as pilot:
            for key in OURS:
                await pilot.press(key)
                await pilot.pause()
                assert lines(pilot)[0].strip()
                assert max(len(line) for line in lines(pilot)) <= size[0]


async def test_keys_lead_to_views_and_home_is_behind_each() -> None:
    async with dashboard(healthy()).run_test(size=(100, 30)) as pilot:
        for view in VIEWS:
            await pilot.press(view.key)
            if view.name == "users":  # it begins with typing
                await pilot.press("escape")
        await pilot.press("2", "3", "4", "7")
        assert isinstance(pilot.app.screen, EventsScreen)
        assert len(pilot.app.screen_stack) == 3
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, HomeScreen)


async def test_tab_goes_through_the_views() -> None:
    async with dashboard(healthy()).run_test(size=(100, 30)) as pilot:
        await pilot.press("2", "tab")
        assert "── Sprayers" in text(pilot)
        await pilot.press("shift+tab", "shift+tab")
        assert isinstance(pilot.app.screen, HomeScreen)


async def test_the_split_is_seen_in_the_database_view_at_80x24() -> None:
    async with dashboard(split()).run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        assert "SPLIT: s4 not on db1" in text(pilot)
        assert "✗ HERE" in text(pilot)


async def test_a_view_filters_sorts_and_opens() -> None:
    async with dashboard(many(60)).run_test(size=(100, 30)) as pilot:
        await pilot.press("2", "slash", *"s17", "enter")
        assert "filter: s17  1 of 62" in text(pilot)
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, DetailScreen)
        assert "s17  pool server" in text(pilot)
        await pilot.press("escape", "escape")
        assert "filter:" not in text(pilot)


async def test_enter_on_an_event_opens_its_node_or_says_why_not() -> None:
    other = recorded(AT, Severity.NOTE, "corp-east", "epoch 11 -> 12")
    feed = SampleFeed(degraded(), (other, *degraded_events()))
    async with dashboard(None, feed).run_test(size=(80, 24)) as pilot:
        await pilot.press("7", "enter")
        assert "corp-east is not one of the nodes" in text(pilot)
        await pilot.press("j", "enter")
        assert isinstance(pilot.app.screen, DetailScreen)


async def test_a_pool_without_sprayers_or_mail_says_so() -> None:
    async with dashboard(SAMPLES["odd"]()[0]).run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        assert "the configuration names no sprayer" in text(pilot)
        await pilot.press("4")
        assert "the configuration names no mail server" in text(pilot)


async def test_the_pool_has_plots_of_its_own() -> None:
    async with dashboard(split()).run_test(size=(120, 40)) as pilot:
        await pilot.press("0")
        said = text(pilot)
        for title in ("USERS", "FULLEST SERVER", "REQUESTS/S", "P95", "BYTES BEHIND", "SECONDS BEHIND",
                      "REQUESTS HELD", "TRANSACTIONS/S", "SPLIT"):
            assert title in said


async def test_a_new_snapshot_repaints_the_view_in_front() -> None:
    feed = SampleFeed(healthy())
    async with dashboard(None, feed).run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        feed.publish(split())
        await seen(pilot, lambda: "✗ HERE" in text(pilot))


# The users of a server


async def test_a_servers_detail_lists_its_users_and_reads_on_at_the_end() -> None:
    operator = FakeOperator()
    names = [f"user{number:03}" for number in range(PAGE)]
    first = page(*names, more=True)
    operator.page = replace(first, users=tuple(replace(user, id=place) for place, user in enumerate(first.users, 1)))
    app = Dashboard(SampleFeed(healthy()), "corp-east", load_theme("dark"), now=lambda: AT + 0.2, operator=operator)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await seen(pilot, lambda: operator.asked("users_on") == [("users_on", "s1", 0, PAGE)])
        assert "users: " not in text(pilot)  # it is last: nobody has to scroll past it
        await pilot.press("G")
        await seen(pilot, lambda: names[-1] in text(pilot))
        await seen(pilot, lambda: ("users_on", "s1", PAGE, PAGE) in operator.asked("users_on"))
        assert len(operator.asked("users_on")) == 2
        operator.page = NoPage("no database answers")
        await pilot.press("escape", "j", "enter")
        await seen(pilot, lambda: ("users_on", "s2", 0, PAGE) in operator.asked("users_on"))
        await pilot.press("G")
        await seen(pilot, lambda: "no database answers" in text(pilot))


async def test_only_a_server_has_users_and_a_dashboard_that_only_watches_asks_nobody() -> None:
    operator = FakeOperator()
    app = Dashboard(SampleFeed(healthy()), "corp-east", load_theme("dark"), now=lambda: AT + 0.2, operator=operator)
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_detail("db1")
        await pilot.pause()
        await pilot.press("G")
        assert "users:" not in text(pilot)
        assert not operator.asked("users_on")
    async with dashboard(healthy()).run_test(size=(80, 24)) as pilot:
        await pilot.press("enter", "G")
        assert "users:" not in text(pilot)


# The key of what comes next


async def test_line_2_names_the_key_where_it_works_and_only_there() -> None:
    snapshot, happened = SAMPLES["down"]()
    app = Dashboard(SampleFeed(snapshot, happened), "corp-east", load_theme("dark"), now=lambda: AT + 0.2,
                    operator=FakeOperator(), looks=Looks(keys={"home.failover": "z"}))
    async with app.run_test(size=(80, 24)) as pilot:
        assert lines(pilot)[1].endswith("next: z  plan failover")
        await pilot.press("5")
        assert lines(pilot)[1].endswith("next: plan failover")
    async with dashboard(snapshot).run_test(size=(80, 24)) as pilot:
        assert lines(pilot)[1].endswith("next: plan failover")  # it only watches: no key leads there


async def test_f_means_the_mail_server_of_line_2_wherever_the_cursor_is() -> None:
    base = degraded()
    worst = replace(base.problems[0], next=plan("failover-mail", "mail2"))
    snapshot = replace(base, problems=(worst, *base.problems[1:]))
    app = Dashboard(SampleFeed(snapshot), "corp-east", load_theme("dark"), now=lambda: AT + 0.2,
                    operator=FakeOperator())
    async with app.run_test(size=(80, 24)) as pilot:
        assert app.operations.unlock("test")
        home = app.screen
        assert isinstance(home, HomeScreen)
        home.table.follow("s1")
        app.paint()
        await pilot.press("f")
        await seen(pilot, lambda: "FAIL OVER" in text(pilot))
        assert "take mail2 out of service" in text(pilot)
