"""The sentences of findings: each code has them, and those that no test of the model meets are as they were."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tuiha.model.check import facts
from tuiha.model.check.doctor import WANTED
from tuiha.model.check.facts import BackFact, FindingCode, RemedyWay
from tuiha.model.check.finding import Finding, Level, bad, ok, warning
from tuiha.model.check.inspection import Default
from tuiha.model.databases.durability import Durability, Gap
from tuiha.model.databases.way_back import not_ours
from tuiha.model.problems.causes import Cause
from tuiha.words.findings import _ADVICE, _TEXTS, FindingWords, said
from tuiha.words.remedies import database_remedy, mail_remedy

ROOT = Path(__file__).parents[2]
_C = FindingCode


def test_every_code_and_every_setting_has_its_words() -> None:
    assert set(_TEXTS) == set(FindingCode)
    assert set(_ADVICE) == {wanted.name for wanted in WANTED}


def test_the_document_has_every_code() -> None:
    section = (ROOT / "docs" / "check.md").read_text().partition("## Codes\n")[2].partition("\n## ")[0]
    listed = re.findall(r"`([a-z-]+)`", section.partition("\n\n")[2])
    assert listed == [str(code) for code in FindingCode]


def test_what_is_ok_needs_no_remedy() -> None:
    room = facts.RoomFact(1500, 2000)
    assert said(ok(_C.CAPACITY, "capacity", room)) == FindingWords(
        "1,500 users; with one server less there is room for 2,000")
    assert said(warning(_C.CAPACITY, "capacity", room)).fix == "add a server"


@pytest.mark.parametrize(("finding", "words"), [
    (bad(_C.DATABASE_OF_OTHER_POOL, "db1", facts.Mismatch("west", "east")),
     FindingWords("it is the database of the pool 'west'", "'east' would use another pool's data",
                  "correct the address at database.nodes, or the pool's name")),
    (ok(_C.ROLE_LOG_IN, "db1", facts.RoleLogIn(None, None, "owner", "tuiha_owner", "tuiha", True)),
     FindingWords("database role tuiha_owner is accepted")),
    (bad(_C.ROLE_LOG_IN, "db1", facts.RoleLogIn("refused", Cause.PASSWORD, "owner", "tuiha_owner", "tuiha", True)),
     FindingWords("database role tuiha_owner: refused", "tasks that need this role fail on this database",
                  database_remedy(Cause.PASSWORD, "db1", "owner", "tuiha_owner", "tuiha", True))),
    (warning(_C.NO_AGENT, "db1"),
     FindingWords("it has no agent", "operations cannot stop, start and rewind it: a switchover is refused, and "
                  "you must do these steps by hand", "write database.nodes[].agent (docs/operations.md, Agents)")),
    (bad(_C.NO_ACTIVE_DATABASE, "east"),
     FindingWords("no database names itself active in pool_epoch", "servers cannot take leases",
                  "start a pool server: the first one creates the schema and the row")),
    (bad(_C.NO_EPOCH_ROW, "db1"),
     FindingWords("it has no epoch row", "it is not the database of a pool yet",
                  "start a pool server: the first one creates the schema")),
    (bad(_C.OTHER_SYSTEM, "db2", facts.OtherSystem("6", facts.Source.LEDGER, "5")),
     FindingWords("its system identifier is 6, but the ledger expects 5",
                  "it is another physical database, and has none of the pool's data",
                  f"{not_ours('db2')}. If the pool is new: correct database.system_identifier")),
    (bad(_C.ENDLESS_WAIT, "db1", facts.CommitsFact("db2", Durability("2 (db2)", ()), frozenset({Gap.MORE}),
                                                   BackFact(RemedyWay.PROTECT, "db2"))),
     FindingWords("synchronous_standby_names is 2 (db2), not FIRST 1 (db2)", "no commit is acknowledged",
                  "tuiha plan protect")),
    (bad(_C.REHEARSAL, "db2", facts.Rehearsed("db1", "no answer")),
     FindingWords("the agent's rehearsal: no answer", "operations may not be able to stop, start and rewind db2",
                  "check that the agent behind the socket runs, and may use the programs it names "
                  "(docs/operations.md, Agents)")),
    (bad(_C.REHEARSAL, "db2", facts.Rehearsed("db1", "no answer", command=True)),
     FindingWords("the agent's rehearsal: no answer", "operations may not be able to stop, start and rewind db2",
                  "run the agent's command by hand, followed by `rehearse`, the database's name and its partner's "
                  "(docs/operations.md, Agents)")),
    (ok(_C.REHEARSAL, "db2", facts.Rehearsed("db1")),
     FindingWords("the agent's rehearsal passed: db1 can be followed, copied and rewound to")),
    *((bad(code, "db2", facts.WayBack("db1", "it is not so", "make it so")),
       FindingWords("it is not so", "after a switchover db2 would not follow db1: the pool would be UNPROTECTED",
                    "make it so"))
      for code in (_C.WAY_BACK_IDENTITY, _C.WAY_BACK_REPLICATION, _C.WAY_BACK_SLOT, _C.WAY_BACK_RECOVERY,
                   _C.WAY_BACK_REWIND, _C.WAY_BACK_COPY)),
    (bad(_C.DEFAULT_OF_SESSIONS, "db1", facts.OfSessions(Default("role", "x", "anna", "tuiha"), kept=True)),
     FindingWords("role = x is set for role anna in database tuiha",
                  "no session can override it: tuiha refuses to work with it",
                  'ALTER ROLE "anna" IN DATABASE "tuiha" RESET role')),
    (warning(_C.DEFAULT_OF_SESSIONS, "db1", facts.OfSessions(Default("statement_timeout", "1s"))),
     FindingWords("statement_timeout = 1s is set for all roles",
                  "tuiha's own sessions set their own value; psql and other programs get this one",
                  "ALTER ROLE ALL RESET statement_timeout")),
    (warning(_C.DEFAULT_IN_FILE, "db1", facts.OfSessions(Default("lock_timeout", "1s", file="/etc/p.conf"))),
     FindingWords("lock_timeout is 1s for all sessions",
                  "tuiha's own sessions set their own value; psql and other programs get this one",
                  "remove lock_timeout from /etc/p.conf; then SELECT pg_reload_conf()")),
    (warning(_C.DEFAULT_IN_FILE, "db1", facts.OfSessions(Default("lock_timeout", "1s", file="postgresql.auto.conf"))),
     FindingWords("lock_timeout is 1s for all sessions",
                  "tuiha's own sessions set their own value; psql and other programs get this one",
                  "ALTER SYSTEM RESET lock_timeout; then SELECT pg_reload_conf()")),
    (warning(_C.ROLE_SEES_NO_FOLLOWERS, "db1", facts.RoleFact("tuiha_pool", "pool")),
     FindingWords("role tuiha_pool cannot see the programs that follow this database",
                  "another program with the secondary's name could confirm commits without notice",
                  "GRANT pg_read_all_stats TO tuiha_pool")),
    (bad(_C.LEDGER_TIMELINE, "ledger", facts.Timelines("db1", 1, 2)),
     FindingWords("it shows timeline 1, but db1 is on timeline 2",
                  "it was promoted by hand or restored from a backup: acknowledged writes may be missing",
                  "see docs/backup.md, after a restore")),
    (ok(_C.FOREIGN_SERVER, "app1", facts.Attached("UP", "http")),
     FindingWords("UP, of another system (http): tuiha only watches it")),
    (bad(_C.VERSIONS_APART, "tuiha", facts.Versions((("0.1.0", ("s1", "s2")), ("0.3.0", ("s3",))))),
     FindingWords("versions differ: s1, s2: 0.1.0; s3: 0.3.0",
                  "they are more than one version apart: this is not tested",
                  "update the older ones, one version at a time (docs/upgrades.md)")),
    (ok(_C.SPRAYER_STEERING, "spray1", facts.Steering(None, None, "operator")),
     FindingWords("the socket at sprayers[].operator, for drain and enable, is accepted")),
    (bad(_C.SPRAYER_STEERING, "spray1", facts.Steering("it has level user, not admin", Cause.OTHER, "socket")),
     FindingWords("the socket at sprayers[].socket, for drain and enable,: it has level user, not admin",
                  "servers cannot be drained or enabled from this host: spray1 refuses",
                  "name its socket of level admin at sprayers[].operator (docs/operations.md, Sprayers)")),
    (ok(_C.ALERT_RECEIVER, "alerts.pagerduty", facts.OfReceiver(None, None, "PagerDuty https://events.example:443")),
     FindingWords("PagerDuty https://events.example:443 answers, and accepts the log-in")),
    (bad(_C.ALERT_RECEIVER, "alerts.pagerduty",
         facts.OfReceiver("HTTP 400: invalid", Cause.OTHER, "PagerDuty x", True)),
     FindingWords("PagerDuty x: HTTP 400: invalid", "nobody is alerted through it",
                  "correct the log-in at alerts.pagerduty")),
    (bad(_C.MAIL_UNUSABLE, "mail1", facts.Unusable("mail1:993", "no answer in 2 s", Cause.SILENT, "west")),
     FindingWords("the probe user cannot use it at mail1:993: no answer in 2 s",
                  "mail of cluster west cannot be monitored through it", mail_remedy(Cause.SILENT, "mail1", "probe"))),
    (ok(_C.MONITOR_LOG_IN, "mail1", facts.MonitorLogIn(None, None, "tuiha-monitor", "probe", False)),
     FindingWords("tuiha-monitor, acting as probe, is accepted")),
    (bad(_C.MONITOR_LOG_IN, "mail1", facts.MonitorLogIn("no", Cause.PASSWORD, "tuiha-monitor", "probe", True)),
     FindingWords("tuiha-monitor, acting as probe,: no", "no user's mailbox can be monitored through it",
                  "correct mail.monitor; it must be allowed to act for every user (as a master user)")),
    (bad(_C.MONITOR_LOG_IN, "mail1", facts.MonitorLogIn("no", Cause.SILENT, "tuiha-monitor", "probe", False)),
     FindingWords("tuiha-monitor, acting as probe,: no", "no user's mailbox can be monitored through it",
                  mail_remedy(Cause.SILENT, "mail1", "monitor"))),
])
def test_the_sentences(finding: Finding, words: FindingWords) -> None:
    assert said(finding) == words
    if finding.level is not Level.OK:
        assert words.means
        assert words.fix


def test_no_name_from_outside_is_taken_for_a_template() -> None:
    odd = facts.SettingFact("fsync", "{of} {0}", "/etc/{f}.conf")
    assert said(bad(_C.SETTING, "db{1}", odd)) == FindingWords(
        "fsync is {of} {0}", "a power failure loses acknowledged writes",
        "write fsync = on in /etc/{f}.conf, then SELECT pg_reload_conf()")
