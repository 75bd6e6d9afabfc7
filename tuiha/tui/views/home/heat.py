"""Many servers at once: one cell for each, how their fullness is spread, and who is at the ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from rich.cells import cell_len

from tuiha.model.facts import ServerFacts, Snapshot
from tuiha.tui.draw import figures
from tuiha.tui.draw.columns import FULL, NEARLY_FULL
from tuiha.tui.draw.marks import DOWN, IDLE, WARN, state_style
from tuiha.tui.draw.rows import is_astray
from tuiha.tui.draw.spans import Line, Span, clean, cut, fit, left, spread

FROM = 30  # servers from which on each has a cell and no row of the picture
_BLOCKS = "▁▂▃▄▅▆▇"
_TROUBLE = {"bad": (DOWN, "bad bold"), "warning": (WARN, "warning bold"), "quiet": (IDLE, "quiet")}
_LEGEND: tuple[Span, ...] = (
    ("▁", "well"), (" idle  ", "quiet"), ("▄", "well"), (" half full  ", "quiet"), ("▇", "warning"),
    (" nearly full  ", "quiet"), (WARN, "warning bold"), (" in trouble  ", "quiet"), (DOWN, "bad bold"),
    (" down ", "quiet"),
)
_BANDS = ((25.0, "<25%"), (50.0, "25-50%"), (NEARLY_FULL, "50-75%"), (90.0, "75-90%"), (float("inf"), ">90%"))
_BAND_MOST = 10  # cells of a band's bar


def heat_lines(snapshot: Snapshot, width: int, most: int) -> list[Line]:
    """The map, the histogram and the figures in at most `most` lines; a map without room for all is left out."""
    title = Line(spread(((" SERVERS", "heading"), ("  ", "text"),), _LEGEND, width))
    servers = snapshot.servers
    name = max((cell_len(clean(server.name)) for server in servers), default=0)
    across = max(10, (width - 2 * name - 5) // 10 * 10)
    rows = -(-len(servers) // across)
    told = [_histogram(servers, width), _ends(servers, width)]
    if rows + 1 + len(told) > most:
        return told[:most]
    cells = [_cell(server, snapshot) for server in servers]
    drawn = [_row(servers[start : start + across], cells[start : start + across], name, width)
             for start in range(0, len(servers), across)]
    return [title, *drawn, *told]


def _cell(server: ServerFacts, snapshot: Snapshot) -> Span:
    style = "bad" if is_astray(server, snapshot) else state_style(server.state)
    trouble = _TROUBLE.get(style)
    if trouble is not None:
        return trouble
    full = server.full if figures.known(server.full) else 0.0
    return (_BLOCKS[max(0, min(6, int(full * 7 / FULL)))], "warning" if full >= NEARLY_FULL else "well")


def _row(servers: Sequence[ServerFacts], cells: Sequence[Span], name: int, width: int) -> Line:
    spans: list[Span] = [(f" {left(servers[0].name, name)} ", "quiet")]
    for text, style in cells:
        if spans[-1][1] == style:
            spans[-1] = (spans[-1][0] + text, style)
        else:
            spans.append((text, style))
    return Line(fit((*spans, (f"  {servers[-1].name}", "quiet")), width))


def _histogram(servers: Iterable[ServerFacts], width: int) -> Line:
    """How many servers are how full, and how many of them are in trouble."""
    counted: Counter[str] = Counter()
    troubled = 0
    for server in servers:
        troubled += state_style(server.state) in ("bad", "warning")
        if figures.known(server.full):
            counted[next(name for top, name in _BANDS if server.full < top)] += 1
    top = max(counted.values(), default=1)
    spans: list[Span] = [(" FULL  ", "heading")]
    for _, name in _BANDS:
        number = counted[name]
        cells = -(-number * min(_BAND_MOST, width // 12) // top)
        spans += [(f"{name} ", "quiet"), ("█" * cells, "flow" if name not in ("75-90%", ">90%") else "warning"),
                  (f" {number}  ", "text")]
    if troubled:
        spans.append((f"{WARN} {troubled}", "warning bold"))
    return Line(fit(spans, width))


def _ends(servers: Sequence[ServerFacts], width: int) -> Line:
    """Fewest, median and most users; the median and the worst latency."""
    spans: list[Span] = [(" USERS ", "heading")]
    users = [(server.users, server.name) for server in servers if server.users is not None]
    if users:
        most, where = max(users)
        spans += [("fewest ", "quiet"), (figures.count(min(users)[0]), "text"), ("  median ", "quiet"),
                  (figures.count(median(number for number, _ in users)), "text"), ("  most ", "quiet"),
                  (f"{figures.count(most)} ", "text"), (cut(where, 12), "quiet")]
    late = [(server.latency_ms, server.name) for server in servers if server.latency_ms is not None]
    if late:
        worst, where = max(late)
        spans += [("   P95 ", "heading"), ("median ", "quiet"),
                  (figures.milliseconds(median(number for number, _ in late)), "text"), ("  worst ", "quiet"),
                  (f"{figures.milliseconds(worst)} ", "text"),
                  (cut(where, 12), "quiet")]
    return Line(fit(spans, width))
