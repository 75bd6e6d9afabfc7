"""What a pool server counts is declared as a counter."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from tuiha.server.http.metrics import DESCRIBED, MailCounts
from tuiha.server.mail.counts import MailServerFigures, MonitorFigures


def test_what_the_monitor_counted() -> None:
    server = MailServerFigures("mail1", "east", True, None, users=5, connected=4, logins=12, errors=3, queue=0)
    registry = CollectorRegistry()
    registry.register(MailCounts(lambda: MonitorFigures(5, 4, 0, 0, 0, (server,), unreadable=2)))
    lines = generate_latest(registry).decode().splitlines()
    assert {line for line in lines if line.startswith("# TYPE")} == {
        "# TYPE tuiha_mail_logins_total counter", "# TYPE tuiha_mail_errors_total counter",
        "# TYPE tuiha_mail_unreadable_total counter"}
    assert {line for line in lines if not line.startswith("#")} == {
        'tuiha_mail_logins_total{cluster="east",mail_server="mail1"} 12.0',
        'tuiha_mail_errors_total{cluster="east",mail_server="mail1"} 3.0', "tuiha_mail_unreadable_total 2.0"}


def test_each_name_is_described_once() -> None:
    names = [name for name, _, _ in DESCRIBED]
    assert len(names) == len(set(names))
