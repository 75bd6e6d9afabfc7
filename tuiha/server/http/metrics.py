"""/metrics in Prometheus' text format: this server's report, and what it counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tuiha.model.reports import ServerReport, ServerState
from tuiha.server.devices.room import Room
from tuiha.server.mail.counts import MonitorFigures

_GAUGES = {
    "users": "Users whose mail is monitored here",
    "devices": "Devices of those users seen in the last 15 minutes",
    "availability_index": "0 to 100 available, below overloaded, -200 draining",
    "epoch": "Epoch of the database that this server is attached to",
    "lease_seconds": "What is left of the lease on the database",
    "memory_bytes": "Resident memory",
    "queue": "Requests that wait for the database",
}
_MAIL_GAUGES = {
    "users": "Users monitored through this mail server from here",
    "connected": "Of those, with a connection that is up to date",
    "logins": "As tuiha_mail_logins_total: the name of earlier versions, a gauge",
    "errors": "As tuiha_mail_errors_total: the name of earlier versions, a gauge",
    "queue": "Users that wait for their turn to log in",
}
_MAIL_LABELS = ("mail_server", "cluster")
_MAIL_COUNTERS = {
    "logins": "Log-ins tried since the start",
    "errors": "Log-ins and connections that failed since the start",
}
_CLUSTER_GAUGES = {
    "connected": ("Users of a mail cluster with a connection that is up to date", ("cluster",)),
    "waiting": ("Users that wait for their turn to log in, or that lost their connection a moment ago", ("cluster",)),
    "failing": ("Users without mail for some seconds, by reason", ("cluster", "reason")),
    "ahead": ("Mailboxes in which a look found mail of which the mail server had not told", ("cluster",)),
}
_STATE = ("tuiha_state", "1 for the state this server is in", ("state",))
_UNREADABLE = ("tuiha_mail_unreadable", "Messages that could not be read and were recorded by a substitute")
_REQUESTS = ("tuiha_requests", "Requests answered", ("interface", "status"))
_WORK = ("tuiha_request_work_seconds", "Time a request worked, waiting for changes left out")

_RECHECKS = ("tuiha_rechecks", "Passwords that this server tried at a mail cluster again", ("cluster", "answer"))
_UNCHECKED = ("tuiha_logins_unchecked", "Log-ins refused because there were too many wrong ones", ("limit",))

_AT_WORK = ("tuiha_requests_at_work", "Device requests that are worked on, those that wait for changes left out")
_ROOM = ("tuiha_requests_room", "How many are worked on at once: found from how long they take")
_TURNED_AWAY = ("tuiha_requests_turned_away", "Device requests that were told when to come again (503)")

DESCRIBED: tuple[tuple[str, tuple[str, ...], str], ...] = (  # for the documentation: name, labels, meaning
    *((f"tuiha_{field}", (), text) for field, text in _GAUGES.items()),
    *((f"tuiha_mail_{field}", _MAIL_LABELS, text) for field, text in _MAIL_GAUGES.items()),
    *((f"tuiha_mail_{field}_total", _MAIL_LABELS, text) for field, text in _MAIL_COUNTERS.items()),
    (f"{_UNREADABLE[0]}_total", (), _UNREADABLE[1]),
    *((f"tuiha_mail_users_{field}", labels, text) for field, (text, labels) in _CLUSTER_GAUGES.items()),
    (_STATE[0], _STATE[2], _STATE[1]), (f"{_REQUESTS[0]}_total", _REQUESTS[2], _REQUESTS[1]), (_WORK[0], (), _WORK[1]),
    *((f"{name}_total", labels, text) for name, text, labels in (_RECHECKS, _UNCHECKED)),
    (_AT_WORK[0], (), _AT_WORK[1]), (_ROOM[0], (), _ROOM[1]), (f"{_TURNED_AWAY[0]}_total", (), _TURNED_AWAY[1]),
)


class LoginCounts(Collector):
    """Counters of log-ins."""

    def __init__(self, rechecks: Mapping[tuple[str, str], int], unchecked: Mapping[str, int]) -> None:
        self._counts = (
            (_RECHECKS, lambda: dict(rechecks)), (_UNCHECKED, lambda: {(name,): n for name, n in unchecked.items()}))

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The two families."""
        for (name, text, labels), counts in self._counts:
            family = CounterMetricFamily(name, text, labels=labels)
            for values, count in counts().items():
                family.add_metric([str(value) for value in values], count)
            yield family


class MailCounts(Collector):
    """The monitor's counters since the start."""

    def __init__(self, mail: Callable[[], MonitorFigures]) -> None:
        self._mail = mail

    def collect(self) -> Iterator[CounterMetricFamily]:
        """A family for each counter of the mail servers, and the messages that could not be read."""
        mail = self._mail()
        for field, text in _MAIL_COUNTERS.items():
            family = CounterMetricFamily(f"tuiha_mail_{field}", text, labels=_MAIL_LABELS)
            for server in mail.servers:
                family.add_metric([server.name, server.cluster], getattr(server, field))
            yield family
        yield CounterMetricFamily(*_UNREADABLE, value=mail.unreadable)


class Work(Collector):
    """How much of devices' work is done at once."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def collect(self) -> Iterator[Metric]:
        """The three families."""
        yield GaugeMetricFamily(*_AT_WORK, value=self._room.working)
        yield GaugeMetricFamily(*_ROOM, value=self._room.limit)
        yield CounterMetricFamily(*_TURNED_AWAY, value=self._room.turned_away)


class Metrics:
    """Counts requests, and tells all of it to a scraper. Nothing in it names a user."""

    def __init__(self, report: Callable[[], ServerReport], mail: Callable[[], MonitorFigures],
                 *counted: Collector) -> None:
        """`counted`: what other parts count."""
        self._report = report
        self._mail = mail
        self._registry = CollectorRegistry()
        for one in (MailCounts(mail), *counted):
            self._registry.register(one)
        self._gauges = {
            field: Gauge(f"tuiha_{field}", text, registry=self._registry) for field, text in _GAUGES.items()
        }
        self._mail_gauges = {
            field: Gauge(f"tuiha_mail_{field}", text, _MAIL_LABELS, registry=self._registry)
            for field, text in _MAIL_GAUGES.items()
        }
        self._cluster_gauges = {
            field: Gauge(f"tuiha_mail_users_{field}", text, labels, registry=self._registry)
            for field, (text, labels) in _CLUSTER_GAUGES.items()
        }
        self._state = Gauge(*_STATE, registry=self._registry)
        self._requests = Counter(*_REQUESTS, registry=self._registry)
        self._counters: dict[tuple[str, int], Counter] = {}
        self._work = Histogram(
            *_WORK,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=self._registry,
        )

    def count(self, interface: str, status: int, seconds: float | None) -> None:
        """Count one answer; `seconds` is None for one that another server measured."""
        counter = self._counters.get((interface, status))
        if counter is None:  # the library looks labels up under a lock, for each answer
            counter = self._counters[interface, status] = self._requests.labels(interface, str(status))
        counter.inc()
        if seconds is not None:
            self._work.observe(seconds)

    async def serve(self, request: web.Request) -> web.Response:
        """GET /metrics."""
        report = self._report()
        for field, gauge in self._gauges.items():
            value = getattr(report, field)
            gauge.set(float("nan") if value is None else value)
        for state in ServerState:
            self._state.labels(state).set(state is report.state)
        mail = self._mail()
        for server in mail.servers:
            for field, gauge in self._mail_gauges.items():
                gauge.labels(server.name, server.cluster).set(getattr(server, field))
        self._count_users(report)
        return web.Response(
            body=generate_latest(self._registry), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    def _count_users(self, report: ServerReport) -> None:
        """Users with and without mail; a reason that is over must not stay."""
        for gauge in self._cluster_gauges.values():
            gauge.clear()
        for one in report.mail or ():
            self._cluster_gauges["connected"].labels(one.cluster).set(one.connected)
            self._cluster_gauges["waiting"].labels(one.cluster).set(one.waiting)
            self._cluster_gauges["ahead"].labels(one.cluster).set(one.ahead)
            for trouble in one.troubles:
                self._cluster_gauges["failing"].labels(one.cluster, trouble.reason).set(trouble.users)
