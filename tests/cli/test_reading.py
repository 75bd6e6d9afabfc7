"""events, users, check and status on a real database pair."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Configured
from tests.drivers.conftest import Pair
from tests.drivers.daemons import free_port
from tuiha.model.check.facts import FindingCode
from tuiha.pooldb.statements.pages import PAGE_OF_USERS

Captured = pytest.CaptureFixture[str]


async def fill(connection: Any) -> None:
    """2,000 users, the first 100 bound and monitored; user0001 is locked and has two devices."""
    await connection.execute("""
        INSERT INTO app_user (name, password_hash, mail_cluster)
        SELECT 'user' || to_char(n, 'FM0000'), 'x', 'east' FROM generate_series(1, 2000) AS n""")
    await connection.execute("INSERT INTO app_user (name, password_hash, mail_cluster) VALUES ('a_b.c*d', 'x', 'east')")
    await connection.execute("INSERT INTO app_user (name, password_hash, mail_cluster) VALUES ('axb.cyd', 'x', 'east')")
    await connection.execute("INSERT INTO mail_server (name, cluster) VALUES ('mail1', 'east')")
    await connection.execute("""
        INSERT INTO binding (user_id, server, generation, expires_at, locked_until)
        SELECT id, 's1', 1, now() + interval '1 day',
               CASE WHEN name = 'user0001' THEN now() + interval '10 minutes' ELSE '-infinity' END
          FROM app_user WHERE name <= 'user0100' AND name >= 'user'""")
    await connection.execute("UPDATE binding SET expires_at = now() - interval '1 s' WHERE user_id = "
                             "(SELECT id FROM app_user WHERE name = 'user0002')")
    await connection.execute("INSERT INTO mail_assignment SELECT user_id, 'mail1' FROM binding")
    await connection.execute("INSERT INTO device (user_id, name, kind) SELECT id, d, 'phone' FROM app_user, "
                             "unnest('{one,two}'::text[]) AS d WHERE app_user.name = 'user0001'")
    await connection.execute("ANALYZE")


def users(configured: Configured, capsys: Captured, *words: str) -> dict[str, Any]:
    assert configured.run("users", *words, "--json") == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


async def bad_mail(connection: Any) -> None:
    await connection.execute("""
        INSERT INTO change (user_id, seq, generation, kind, mailbox, uid, mail_server, message_id, subject, at, size,
                            unreadable)
        SELECT id, 1, 1, 'new', 'INBOX', 42, 'mail1', 'sha256:x', '', '2026-01-01Z', 900, 'the server says BYE'
          FROM app_user WHERE name = 'user0001'""")


def test_a_user_s_unreadable_messages_are_shown_with_the_user(configured: Configured, capsys: Captured) -> None:
    configured.admin(fill)
    configured.admin(bad_mail)
    (one,) = users(configured, capsys, "user0001")["unreadable"]
    assert (one["uid"], one["size"], one["reason"]) == (42, 900, "the server says BYE")
    assert users(configured, capsys, "user000")["unreadable"] == [], "not with others"
    assert configured.run("users", "user0001") == 0
    assert "INBOX     42  mail1    900  2026-01-01T00:00:00Z  the server says BYE" in capsys.readouterr().out


def test_users_by_beginning_by_pattern_and_page_by_page(configured: Configured, capsys: Captured) -> None:
    configured.admin(fill)
    first = users(configured, capsys, "user0001")["users"]
    assert [u["name"] for u in first] == ["user0001"]
    assert (first[0]["server"], first[0]["devices"], first[0]["mail_server"]) == ("s1", 2, "mail1")
    assert first[0]["locked_until"] is not None
    assert first[0]["last_sync"] is not None
    expired, bound = users(configured, capsys, "user000[")["users"], users(configured, capsys, "user0003")["users"]
    assert expired == []
    assert (bound[0]["locked_until"], bound[0]["last_sync"], bound[0]["devices"]) == (None, None, 0)
    assert users(configured, capsys, "user0002")["users"][0]["server"] is None  # its binding has expired
    assert [u["name"] for u in users(configured, capsys, "*99")["users"]][:3] == ["user0099", "user0199", "user0299"]
    assert [u["name"] for u in users(configured, capsys, "user00?7")["users"]][-1] == "user0097"
    assert [u["name"] for u in users(configured, capsys, "a_b.c")["users"]] == ["a_b.c*d"]
    assert [u["name"] for u in users(configured, capsys, "a?b.c?d")["users"]] == ["a_b.c*d", "axb.cyd"]
    seen: list[str] = []
    after = ""
    while after is not None:
        page = users(configured, capsys, "user", "--limit", "600", "--after", after)
        seen += [u["name"] for u in page["users"]]
        after = page["after"]
    assert seen == [f"user{n:04d}" for n in range(1, 2001)]


def test_users_as_text(configured: Configured, capsys: Captured) -> None:
    configured.admin(fill)
    assert configured.run("users", "user000", "--limit", "2") == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() [:3] == ["USER", "SERVER", "SINCE"]
    assert len(out.splitlines()) == 3
    assert "--after user0002" in err
    assert configured.run("users", "nobody") == 0
    assert "no user has such a name" in capsys.readouterr().err


def test_finding_a_user_among_many_reads_an_index(configured: Configured) -> None:
    from tuiha.watch.reader import bounds

    async def plan(connection: Any) -> str:
        await connection.execute("INSERT INTO app_user (name, password_hash, mail_cluster) SELECT "
                                 "'many' || n, 'x', 'east' FROM generate_series(1, 50000) AS n")
        await connection.execute("ANALYZE app_user")
        beginning, end, expression = bounds("many4")
        quoted = [f"'{text}'" for text in (beginning, end, "", expression)]
        query = PAGE_OF_USERS
        for number, text in enumerate((*quoted, "100"), 1):
            query = query.replace(f"${number}", text)
        return "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {query}"))

    found = configured.admin(plan)
    assert "Index" in found
    assert "app_user_name_prefix" in found
    assert "Seq Scan on app_user" not in found


def test_events_newest_last(configured: Configured, capsys: Captured) -> None:
    async def record(connection: Any) -> None:
        for number in range(5):
            await connection.execute("INSERT INTO event (severity, subject, text) VALUES ('note', 's1', $1)",
                                     f"event {number} \x1b[31m")

    configured.admin(record)
    assert configured.run("events", "--limit", "3") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[-1].strip() for line in lines] == [f"event {n}  [31m".split("  ")[-1] for n in (2, 3, 4)]
    assert "\x1b" not in "".join(lines)
    assert configured.run("events", "--json", "--limit", "1") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["events"][0]["text"]) == ("tuiha.events/1", "event 4 \x1b[31m")


def test_the_secondary_is_read_when_the_primary_is_out_of_reach(configured: Configured, capsys: Captured) -> None:
    configured.admin(fill)
    nodes = [{"name": "db1", "address": f"127.0.0.1:{free_port()}"},
             {"name": "db2", "address": configured.pair.db2.address}]
    database = configured.settings["database"] | {"nodes": nodes}
    assert configured.run("users", "user0001", database=database) == 0
    out, err = capsys.readouterr()
    assert "user0001" in out
    assert "from db2 and may be older" in err


def test_no_database_at_all(configured: Configured, capsys: Captured) -> None:
    nodes = [{"name": n, "address": f"127.0.0.1:{free_port()}"} for n in ("db1", "db2")]
    database = configured.settings["database"] | {"nodes": nodes}
    assert configured.run("events", database=database) == 3
    err = capsys.readouterr().err
    assert "no database of demo can be read" in err
    assert "connection refused" in err
    assert configured.run("status", "--json", database=database) == 3
    status = json.loads(capsys.readouterr().out)
    assert (status["verdict"], status["epoch"], status["databases"][0]["role"]) == ("DOWN", None, None)


def check(configured: Configured, capsys: Captured, code: int, *words: str, **changes: Any) -> dict[str, str]:
    """Run check; returns what is not ok and what that means, by subject."""
    assert configured.run("check", "--json", *words, **changes) == code
    found: dict[str, str] = {}
    for finding in json.loads(capsys.readouterr().out)["findings"]:
        assert FindingCode(finding["code"])
        if finding["level"] != "ok":
            assert finding["means"]
            assert finding["fix"]
            text = f"{finding['what']}: {finding['means']}\n"
            found[finding["subject"]] = found.get(finding["subject"], "") + text
    return found


def test_check_creates_the_ledger_once(configured: Configured, capsys: Captured) -> None:
    assert "does not exist" in check(configured, capsys, 1)["ledger"]
    assert "ledger" not in check(configured, capsys, 1, "--create-ledger")
    written = json.loads((configured.folder / "ledger.json").read_text())
    assert (written["pool"], written["epoch"], written["active"], written["standby"]) == ("demo", 1, "db1", "SYNC")
    assert configured.run("check", "--create-ledger") == 4
    assert "there is a ledger" in capsys.readouterr().err


def test_check_says_what_is_wrong_with_a_password(configured: Configured, capsys: Captured,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUIHA_TEST_WRONG", "wrong horse")
    roles = configured.settings["database"]["roles"]
    roles["pool"]["password"] = {"env": "TUIHA_TEST_WRONG"}
    found = check(configured, capsys, 1, database=configured.settings["database"] | {"roles": roles})
    assert "database role tuiha_pool: password authentication failed for role tuiha_pool" in found["db1"]
    roles["watcher"]["password"] = {"env": "TUIHA_TEST_WRONG"}
    found = check(configured, capsys, 3, database=configured.settings["database"] | {"roles": roles})
    assert "password authentication failed for role tuiha_watch" in found["db1"]
    assert "wrong horse" not in json.dumps(found)


def test_check_says_that_it_is_another_database(configured: Configured, capsys: Captured) -> None:
    database = configured.settings["database"] | {"system_identifier": "42"}
    found = check(configured, capsys, 1, database=database)
    assert "the configuration expects 42" in found["db1"]
    assert "another physical database" in found["db2"]


def test_check_says_that_it_is_another_pools_database(configured: Configured, capsys: Captured) -> None:
    found = check(configured, capsys, 1, pool="west")
    assert "it is the database of the pool 'demo'" in found["db1"]
    assert configured.run("users", pool="west") == 3
    assert "it is not a database of this pool, but of 'demo'" in capsys.readouterr().err
    assert configured.run("check", "--create-ledger", pool="west") == 4
    assert "the ledger was not created" in capsys.readouterr().err


def test_check_reads_a_ledger_of_another_time_or_pool(configured: Configured, capsys: Captured, prepared_pair: Pair,
                                                      ) -> None:
    check(configured, capsys, 1, "--create-ledger")
    ledger = configured.folder / "ledger.json"
    record = json.loads(ledger.read_text())
    ledger.write_text(json.dumps(record | {"epoch": 7}))
    assert "it shows epoch 7 on db1, the database epoch 1 on db1" in check(configured, capsys, 1)["ledger"]
    ledger.write_text(json.dumps(record | {"pool": "west"}))
    assert "pool west" in check(configured, capsys, 1)["ledger"]
    ledger.write_text("{")
    assert "damaged" in check(configured, capsys, 1)["ledger"]


def test_a_missing_token_is_a_matter_of_configuration(configured: Configured, capsys: Captured,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUIHA_TEST_TOKEN")
    for command in ("status", "check"):
        assert configured.run(command) == 2
        assert "environment variable TUIHA_TEST_TOKEN is not set" in capsys.readouterr().err


def test_status_names_the_problems_first(configured: Configured, capsys: Captured) -> None:
    check(configured, capsys, 1, "--create-ledger")
    assert configured.run("status") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("demo  DOWN  nobody is served for ")
    assert lines[1] == "x demo DOWN  no pool server is known"
    assert lines[3] == "    next: tuiha serve NAME"
    assert any(line.split()[:4] == ["db2", "UP", "SECONDARY", "ro"] for line in lines)
