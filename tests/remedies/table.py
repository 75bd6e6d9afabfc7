"""The faults: how each is planted, what check says, what it advises, and how that is carried out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.doubles.fronts import front, reluctant
from tests.drivers.authority import Listener
from tests.remedies.acts import (
    RELOAD,
    Fault,
    Mend,
    Plant,
    configured,
    done,
    order,
    restored,
    shell,
    statements,
    system,
    told,
)
from tests.remedies.scene import Scene
from tests.until import until
from tuiha.drivers.sprayers.haproxy import Haproxy
from tuiha.lab.pool.layout import Layout
from tuiha.model.check.finding import Finding
from tuiha.words.findings import said

WATCHER = ("database", "roles", "watcher", "password")
SPRAYER = ("sprayers", 0)


# ------------------------------------------------------------------------------- acts of a few rows


def written(name: str, line: str, on: str) -> Plant:
    """A line at the end of a database's own configuration, and a restart."""

    async def plant(scene: Scene) -> None:
        file = scene.file(on, "postgresql.conf")
        scene.kept[name] = file.read_text()
        file.write_text(f"{scene.kept[name]}\n{line}\n")
        await scene.restart(on)

    return plant


def unwritten(name: str, on: str) -> Mend:
    """The configuration as it was, and a restart."""

    async def mend(scene: Scene, finding: Finding) -> None:
        scene.file(on, "postgresql.conf").write_text(scene.kept.pop(name))
        await scene.restart(on)

    return mend


def access(old: str, new: str) -> Plant:
    """Another rule of who may connect to db1."""

    async def plant(scene: Scene) -> None:
        file = scene.file("db1", "pg_hba.conf")
        scene.kept["hba"] = text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        await scene.sql(RELOAD)

    return plant


async def let_in(scene: Scene, finding: Finding) -> None:
    """The line that check gives, with this host's address, before all others; without what was planted."""
    line = said(finding).fix.rpartition("SELECT pg_reload_conf(): ")[2].replace("ADDRESS-OF-THIS-HOST", "127.0.0.1")
    file = scene.file("db1", "pg_hba.conf")
    rules = [rule for rule in file.read_text().splitlines() if "trust" not in rule]
    file.write_text("\n".join([line, *rules, ""]))
    await scene.sql(RELOAD)
    await scene.findings()
    file.write_text(scene.kept.pop("hba"))  # as the pool was made: other roles shared the rule
    await scene.sql(RELOAD)


def behind(kind: str, drops: bool = False, tls: bool = True) -> Plant:
    """Both databases are reached through something that shows a certificate, or drops what sessions ask for."""

    async def plant(scene: Scene) -> None:
        for number, name in enumerate(("db1", "db2")):
            context = scene.certificates.server(kind) if kind else None
            there = await scene.stack.enter_async_context(front(scene.port(name), context, drops))
            scene.kept[name] = there
            scene.settings["database"]["nodes"][number]["address"] = f"localhost:{there.port}"
        if tls:
            scene.settings["database"]["tls"] = {"ca": str(scene.certificates.ca)}

    return plant


async def reached(scene: Scene) -> None:
    """Both databases are; that PostgreSQL itself has no TLS is true here, and said."""
    await scene.only("ssl is off")


async def renewed(scene: Scene, finding: Finding) -> None:
    """The right certificate; and the pool as it was made, without TLS."""
    for name in ("db1", "db2"):
        scene.kept[name].context = scene.certificates.server("right")
    await reached(scene)
    await restored(("database", "tls"), ("database", "nodes"))(scene, finding)


async def trusted(scene: Scene, finding: Finding) -> None:
    """The authority that signed is named."""
    other = scene.certificates.folder / "other-ca.pem"
    scene.certificates._others.cert_pem.write_to_path(str(other))
    scene.settings["database"]["tls"] = {"ca": str(other)}
    await reached(scene)
    await restored(("database", "tls"), ("database", "nodes"))(scene, finding)


def shown(kind: str) -> Plant:
    """Devices find a certificate at spray1's address."""

    async def plant(scene: Scene) -> None:
        listener = scene.stack.enter_context(Listener(scene.certificates.server(kind)))
        scene.kept["listener"] = listener
        scene.settings["sprayers"][0]["address"] = f"localhost:{listener.port}"

    return plant


async def shown_right(scene: Scene, finding: Finding) -> None:
    scene.kept["listener"].context = scene.certificates.server("right")
    await scene.clean()
    await restored((*SPRAYER, "address"))(scene, finding)


async def long_transaction(scene: Scene) -> None:
    connection = await scene.superuser()
    scene.stack.callback(connection.terminate)
    await connection.execute("BEGIN")
    await connection.fetchval("SELECT 1")
    scene.settings["hold"] = {"seconds": "1s"}


async def locked(scene: Scene) -> None:
    connection = await scene.superuser()
    scene.stack.callback(connection.terminate)
    await connection.execute("BEGIN")
    await connection.execute("LOCK TABLE mail_server IN ACCESS EXCLUSIVE MODE")


async def unlocked(scene: Scene, finding: Finding) -> None:
    """The statement of the advice names the session; it is ended."""
    look = said(finding).fix.partition(": ")[2]
    connection = await scene.superuser()
    rows = await connection.fetch(look)
    for row in rows:
        if row["pid"] != connection.get_server_pid():
            await connection.fetchval("SELECT pg_terminate_backend($1)", row["pid"])
    await connection.close()


async def ended(scene: Scene, finding: Finding) -> None:
    """The session that the advice names is ended by its statement."""
    await scene.sql(said(finding).fix.partition(": ")[2].split(", ")[0])
    await restored(("hold",))(scene, finding)


def steered(*acts: tuple[str, Any]) -> Plant:
    """Tell spray1 something about s1 at its runtime socket."""

    async def plant(scene: Scene) -> None:
        sprayer = scene.original["sprayers"][0]
        driver = Haproxy("spray1", sprayer["socket"], sprayer["backend"], sprayer["map"],
                         operator=sprayer.get("operator"))
        for name, value in acts:
            await getattr(driver, name)("s1", value)

    return plant


async def right_address(scene: Scene, finding: Finding) -> None:
    port = scene.original["servers"][0]["address"].rpartition(":")[2]
    await steered(("set_address", f"127.0.0.1:{port}"))(scene)


def ledger(change: str) -> Plant:
    """The ledger is gone, or damaged."""

    async def plant(scene: Scene) -> None:
        path = Layout(scene.folder).ledger
        scene.kept["ledger"] = path.read_text()
        if change == "missing":
            path.unlink()
        else:
            path.write_text("{")

    return plant


async def created(scene: Scene, finding: Finding) -> None:
    path = Layout(scene.folder).ledger
    path.unlink(missing_ok=True)  # "move it away"
    await scene.tuiha("check", "--create-ledger")
    assert path.exists()
    if '"STALE"' in path.read_text():  # a fault before let commits go without the secondary, and servers recorded it
        await operation("protect")(scene, finding)


def operation(*words: str) -> Mend:
    """The operation that is advised, planned and applied as an operator does it."""

    async def mend(scene: Scene, finding: Finding) -> None:
        plan = json.loads(await scene.tuiha("plan", *words, "--json"))
        stops = [one for one in plan["checks"] if one["verdict"] in ("bad", "never")]
        assert not stops, stops
        await scene.tuiha("apply", plan["id"], "--confirm", plan["confirm"], "--reason", "a test")

    return mend


async def seen_by_servers(scene: Scene, finding: Finding) -> None:
    """Commits that do not wait are recorded with the next renewals; a mending before them leaves nothing to be said."""
    await until(lambda: scene.sql("SELECT standby FROM pool_epoch"), met=lambda said: said in ("DOUBTED", "STALE"))


async def counted_on_again(scene: Scene, finding: Finding) -> None:
    """What servers saw of the pair stays until the pool is protected: check says so then, and what to do."""
    def told(found: Sequence[Finding]) -> bool:
        return any("tuiha plan protect" in said(one).fix for one in found)

    await until(scene.findings, met=told, pause=0.2)
    await operation("protect")(scene, finding)


def each(*mends: Mend) -> Mend:
    """One after the other."""

    async def mend(scene: Scene, finding: Finding) -> None:
        for one in mends:
            await one(scene, finding)

    return mend


async def returned(scene: Scene, finding: Finding) -> None:
    """What check says of a mail server that answers again, and that the pool servers do not use yet."""
    await scene.until("mail1", "tuiha plan return-mail mail1")
    await operation("return-mail", "mail1")(scene, finding)


async def cut_off(scene: Scene) -> None:
    """db2 loses its way to db1."""
    await scene.sql("ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=1 user=nobody'", RELOAD, on="db2")
    await scene.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_get_wal_receiver()", on="db2", database="postgres")


async def at_another(scene: Scene) -> None:
    first, second = scene.settings["servers"]
    first["address"], second["address"] = second["address"], first["address"]


def hesitant(password: str) -> Plant:
    """mail1 is one that lets whoever gives a wrong password wait for longer than a look may take."""

    async def plant(scene: Scene) -> None:
        port = await scene.stack.enter_async_context(reluctant(3.0))
        scene.settings["mail"][0]["servers"][0]["address"] = f"127.0.0.1:{port}"
        scene.settings["mail"][0]["servers"] = scene.settings["mail"][0]["servers"][:1]
        scene.kept["partner"] = True
        right = scene.folder / "right"
        right.write_text("right")
        wrong = scene.folder / "wrong"
        wrong.write_text("wrong")
        for file in (right, wrong):
            file.chmod(0o600)
        scene.settings["mail"][0]["probe"]["password"] = {"file": password}
        scene.settings["mail"][0]["monitor"]["password"] = {"file": "right"}

    return plant


async def told_the_password(scene: Scene, finding: Finding) -> None:
    scene.settings["mail"][0]["probe"]["password"] = {"file": "right"}
    found = await scene.findings()
    assert not [one for one in found if "log-in" in said(one).what], found
    await restored(("mail",))(scene, finding)


async def writable_by_all(scene: Scene) -> None:
    scene.kept["mode"] = 0o666


def wrong_password(key: tuple[str | int, ...]) -> Plant:
    """A password that is another one's."""
    return configured((key, {"file": "secrets/viewer"}))


def again(name: str) -> Mend:
    """What hung is killed and started, as a service manager's restart does."""
    return done(order("kill", name), order("start", name))


# ------------------------------------------------------------------------------- roles and their log-ins

ROLES = (
    Fault("a role's password expires soon", statements("ALTER ROLE tuiha_owner VALID UNTIL 'tomorrow'"),
          "db1", "the password of role tuiha_owner is valid for",
          "ALTER ROLE tuiha_owner VALID UNTIL 'infinity'", told()),
    Fault("a role's connections are limited", statements("ALTER ROLE tuiha_pool CONNECTION LIMIT 20"),
          "db1", "role tuiha_pool has CONNECTION LIMIT 20", "ALTER ROLE tuiha_pool CONNECTION LIMIT -1", told()),
    Fault("the database's connections are limited", statements("ALTER DATABASE tuiha CONNECTION LIMIT 28"),
          "db1", "database tuiha has CONNECTION LIMIT 28", 'ALTER DATABASE "tuiha" CONNECTION LIMIT -1', told()),
    Fault("a role may not log in", statements("ALTER ROLE tuiha_coordinator NOLOGIN"),
          "db1", "role tuiha_coordinator may not log in", "ALTER ROLE tuiha_coordinator LOGIN", told()),
    Fault("the servers' role may create roles", statements("ALTER ROLE tuiha_pool CREATEROLE"),
          "db1", "role tuiha_pool has CREATEROLE", "ALTER ROLE tuiha_pool NOCREATEROLE", told()),
    Fault("the watcher may write", statements("GRANT INSERT ON binding TO tuiha_watch"),
          "db1", "role tuiha_watch may write binding",
          "REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public FROM tuiha_watch", told()),
    Fault("the coordinator may not change the pair",
          statements("REVOKE ALTER SYSTEM ON PARAMETER synchronous_standby_names FROM tuiha_coordinator"),
          "db1", "role tuiha_coordinator may not set synchronous_standby_names",
          "GRANT ALTER SYSTEM ON PARAMETER synchronous_standby_names TO tuiha_coordinator", told()),
    Fault("the coordinator does not see replication", statements("REVOKE pg_monitor FROM tuiha_coordinator"),
          "db1", "role tuiha_coordinator is no member of pg_monitor", "GRANT pg_monitor TO tuiha_coordinator", told()),
)

# ------------------------------------------------------------------------------- defaults of sessions

DEFAULTS = (
    Fault("isolation, for a role", statements(
        "ALTER ROLE tuiha_pool SET default_transaction_isolation = 'serializable'"),
          "db1", "default_transaction_isolation = serializable is set for role tuiha_pool",
          "ALTER ROLE tuiha_pool RESET default_transaction_isolation", told()),
    Fault("a time limit of statements, for the database",
          statements("ALTER DATABASE tuiha SET statement_timeout = '5s'"),
          "db1", "statement_timeout = 5s is set for all roles in database tuiha",
          'ALTER DATABASE "tuiha" RESET statement_timeout', told()),
    Fault("a search path, for all", statements("ALTER ROLE ALL SET search_path = pg_catalog"),
          "db1", "search_path = pg_catalog is set for all roles", "ALTER ROLE ALL RESET search_path", told()),
    Fault("read only, for the database", statements("ALTER DATABASE tuiha SET default_transaction_read_only = on"),
          "db1", "default_transaction_read_only = on is set for all roles in database tuiha",
          'ALTER DATABASE "tuiha" RESET default_transaction_read_only', told(database="postgres")),
    Fault("idle sessions end, for a role in the database", statements(
        "ALTER ROLE tuiha_pool IN DATABASE tuiha SET idle_session_timeout = '5s'"),
          "db1", "idle_session_timeout = 5s is set for role tuiha_pool in database tuiha",
          'ALTER ROLE tuiha_pool IN DATABASE "tuiha" RESET idle_session_timeout', told()),
    Fault("idle transactions end, for a role", statements(
        "ALTER ROLE tuiha_coordinator SET idle_in_transaction_session_timeout = '1s'"),
          "db1", "idle_in_transaction_session_timeout = 1s is set for role tuiha_coordinator",
          "ALTER ROLE tuiha_coordinator RESET idle_in_transaction_session_timeout", told()),
    Fault("transactions end, for a role", statements("ALTER ROLE tuiha_watch SET transaction_timeout = '5s'"),
          "db1", "transaction_timeout = 5s is set for role tuiha_watch",
          "ALTER ROLE tuiha_watch RESET transaction_timeout", told()),
    Fault("commits do not wait, for the database", statements("ALTER DATABASE tuiha SET synchronous_commit = 'off'"),
          "db1", "synchronous_commit = off is set for all roles in database tuiha",
          'ALTER DATABASE "tuiha" RESET synchronous_commit', each(seen_by_servers, told(), counted_on_again)),
    Fault("warnings are not sent, for a role", statements("ALTER ROLE tuiha_owner SET client_min_messages = 'error'"),
          "db1", "client_min_messages = error is set for role tuiha_owner",
          "ALTER ROLE tuiha_owner RESET client_min_messages", told()),
    Fault("locks are waited for shortly, for all sessions", system("lock_timeout", "'2s'"),
          "db1", "lock_timeout is 2000 for all sessions", "ALTER SYSTEM RESET lock_timeout", told(reload=True)),
    Fault("triggers rest, for a role", statements("ALTER ROLE tuiha_owner SET session_replication_role = 'replica'"),
          "db1", "session_replication_role = replica is set for role tuiha_owner",
          "ALTER ROLE tuiha_owner RESET session_replication_role", told()),
)

# ------------------------------------------------------------------------------- settings


def _setting(name: str, value: str, shown_as: str, on: str = "db1") -> Fault:
    return Fault(f"{name} on {on}", system(name, value, on), on, f"{name} is {shown_as}", f"ALTER SYSTEM RESET {name}",
                 told(on=on, reload=True))


SETTINGS = (
    _setting("fsync", "off", "off"),
    _setting("full_page_writes", "off", "off", "db2"),
    _setting("synchronous_commit", "'local'", "local"),
    _setting("wal_receiver_timeout", "'60s'", "60000", "db2"),
    _setting("wal_sender_timeout", "0", "0"),
    _setting("wal_keep_size", "0", "0"),
    _setting("max_slot_wal_keep_size", "-1", "-1"),
    _setting("password_encryption", "'md5'", "md5"),
    _setting("tcp_user_timeout", "0", "0"),
    _setting("recovery_min_apply_delay", "'1min'", "60000", "db2"),
)

# ------------------------------------------------------------------------------- what hinders a change of roles

HINDRANCES = (
    Fault("replay is paused", statements("SELECT pg_wal_replay_pause()", on="db2"), "db2", "replay is paused",
          "SELECT pg_wal_replay_resume()", told(on="db2")),
    Fault("a slot that nobody uses", statements("SELECT pg_create_physical_replication_slot('forgotten', true)"),
          "db1", "unused slot forgotten keeps", "SELECT pg_drop_replication_slot('forgotten')", told()),
    Fault("a long transaction", long_transaction, "db1", "transactions are open", "SELECT pg_terminate_backend(",
          ended),
)

# ------------------------------------------------------------------------------- the configuration, sprayers, servers

PARTS = (
    Fault("one token for both", configured((("control", "operator"), {"file": "secrets/viewer"})),
          "control", "the viewer's and the operator's token are the same", "create a second token",
          restored(("control", "operator"))),
    Fault("leases of another length", configured((("lease", "seconds"), "4s")),
          "s1", "its leases last 5 s, lease.seconds is 4 s here", "write the same lease.seconds on all hosts",
          restored(("lease",))),
    Fault("another rule of users' names", configured((("users", "names", "lower"), False)),
          "users.names", "here: ", "write the same users.names on all hosts", restored(("users",))),
    Fault("a sprayer without the map", configured(((*SPRAYER, "map"), "/etc/haproxy/users.map")),
          "spray1", "has no map /etc/haproxy/users.map", "write its map's path at",
          restored((*SPRAYER, "map"))),
    Fault("a sprayer whose address nobody listens at", configured((("sprayers", 1, "address"), "127.0.0.1:1")),
          "spray2", "devices cannot connect at 127.0.0.1:1: connection refused", "compare its `bind`",
          restored(("sprayers", 1, "address"))),
    Fault("a server is not checked", steered(("set_checks", False)), "spray1", "no health check of s1",
          "add `check` to its line `server`", done(steered(("set_checks", True)))),
    Fault("an alert receiver that nobody listens at",
          configured((("alerts",), {"alertmanager": {"addresses": ["http://127.0.0.1:1"]}})), "alerts.alertmanager",
          "Alertmanager http://127.0.0.1:1: ", "correct the address at alerts.alertmanager", restored(("alerts",))),
    Fault("a backup program that is not there", configured((("database", "backup"), {
        "driver": "pgbackrest", "of": "main", "command": ["/nonexistent"]})), "database.backup",
          "the backup program: /nonexistent cannot be run", "run the command of database.backup by hand",
          restored(("database", "backup"))),
    Fault("certificates are not verified", configured((("mail", 0, "tls"), {"verify": False})),
          "mail.east.tls", "verify is false", "remove verify: false",
          restored(("mail", 0, "tls"))),
    Fault("others may write the configuration", writable_by_all, "configuration", "", "chmod go-w",
          shell(r"chmod go-w \S+")),
    Fault("a wrong password of the mail monitor", wrong_password(("mail", 1, "monitor", "password")),
          "mail3", "tuiha-monitor, acting as probe,", "correct mail.monitor", restored(("mail", 1))),
)

# ------------------------------------------------------------------------------- one at a time

DATABASES = (
    Fault("a wrong password", wrong_password(WATCHER), "db1", "does not answer", "database.roles.watcher.password",
          restored(WATCHER), alone=True),
    Fault("an expired password", statements("ALTER ROLE tuiha_watch VALID UNTIL '2020-01-01'"), "db1",
          "does not answer", "ALTER ROLE tuiha_watch PASSWORD '...' VALID UNTIL 'infinity'",
          done(statements("ALTER ROLE tuiha_watch VALID UNTIL 'infinity'")), alone=True),
    Fault("no rule lets the role in", access("tuiha_owner,tuiha_pool,tuiha_watch", "tuiha_owner,tuiha_pool"), "db1",
          "does not answer", "host tuiha tuiha_watch ADDRESS-OF-THIS-HOST/32 scram-sha-256", let_in, alone=True),
    Fault("the role may not log in", statements("ALTER ROLE tuiha_watch NOLOGIN"), "db1", "does not answer",
          "ALTER ROLE tuiha_watch LOGIN", told(), alone=True),
    Fault("the role may not connect", statements("REVOKE CONNECT ON DATABASE tuiha FROM tuiha_watch"), "db1",
          "does not answer", 'GRANT CONNECT ON DATABASE "tuiha" TO tuiha_watch', told(), alone=True),
    Fault("the role has no connection left", statements("ALTER ROLE tuiha_watch CONNECTION LIMIT 0"), "db1",
          "does not answer", "ALTER ROLE tuiha_watch CONNECTION LIMIT -1", told(), alone=True),
    Fault("the database has no connection left", statements("ALTER DATABASE tuiha CONNECTION LIMIT 0"), "db1",
          "does not answer", 'ALTER DATABASE "tuiha" CONNECTION LIMIT -1', told(), alone=True),
    Fault("no such database", configured((("database", "name"), "tuhia")), "db1", "does not answer",
          "correct database.name", restored(("database", "name")), alone=True),
    Fault("a default that no session can undo", statements(
        "ALTER ROLE tuiha_watch SET session_replication_role = 'replica'"), "db1", "does not answer",
          "ALTER ROLE tuiha_watch RESET ALL", told(), alone=True),
    Fault("a wrong port", configured((("database", "nodes", 1, "address"), "127.0.0.1:1")), "db2",
          "does not answer at 127.0.0.1:1: connection refused", "correct its address at database.nodes",
          restored(("database", "nodes")), alone=True),
    Fault("a pooler between", behind("", drops=True, tls=False), "db1", "does not answer",
          "name PostgreSQL's own port at database.nodes", restored(("database", "nodes")), alone=True),
    Fault("an expired certificate", behind("expired"), "db1", "does not answer", "renew the certificate", renewed,
          alone=True),
    Fault("a certificate of another authority", behind("another authority"), "db1", "does not answer",
          "name the authority that signed db1's certificate at database.tls.ca", trusted, alone=True),
    Fault("a certificate for another name", behind("wrong name"), "db1", "does not answer",
          "have it signed for this name", renewed, alone=True),
    Fault("no TLS", behind(""), "db1", "does not answer", "write ssl = on", renewed, alone=True),
    Fault("anybody is let in", access("scram-sha-256\nhost    tuiha        tuiha_coordinator",
                                      "trust\nhost    tuiha        tuiha_coordinator"), "db1",
          "does not answer", "host tuiha tuiha_watch ADDRESS-OF-THIS-HOST/32 scram-sha-256", let_in, alone=True),
    Fault("a locked table", locked, "db1", "does not answer", "end the session that holds the lock", unlocked,
          alone=True),
    Fault("another database system", configured((("database", "system_identifier"), "7574021387012345678")), "db1",
          "its system identifier is", "correct database.system_identifier",
          restored(("database", "system_identifier")), alone=True),
    Fault("the ledger is missing", ledger("missing"), "ledger", "", "tuiha check --create-ledger", created, alone=True),
    Fault("the ledger is damaged", ledger("damaged"), "ledger", "",
          "move it away, and then: tuiha check --create-ledger", created, alone=True),
)

OTHERS = (
    Fault("a wrong viewer's token", configured((("control", "viewer"), {"file": "secrets/mail_probe"})), "s1",
          "does not answer", "control.viewer", restored(("control", "viewer")), alone=True),
    Fault("servers' addresses are exchanged", at_another, "s2", "does not answer",
          "correct its address at servers", restored(("servers",)), alone=True),
    Fault("a wrong backend", configured(((*SPRAYER, "backend"), "servers")), "spray1", "its runtime socket does not "
          "answer", "sprayers.backend", restored((*SPRAYER, "backend")), alone=True),
    Fault("no such runtime socket", configured(((*SPRAYER, "socket"), "unix:/nowhere/admin.sock")), "spray1",
          "its runtime socket does not answer", "name the path of its `stats socket` at sprayers.socket",
          restored((*SPRAYER, "socket")), alone=True),
    Fault("a server is out at one sprayer", steered(("set_state", "maint")), "spray1", "sends no new users to s1",
          "set server BACKEND/s1 state ready", done(steered(("set_state", "ready"))), alone=True),
    Fault("a sprayer cannot reach a server", steered(("set_address", "127.0.0.1:1")), "spray1", "cannot reach s1",
          "compare the address on its line `server`", right_address, alone=True),
    Fault("devices find an expired certificate", shown("expired"), "spray1", "its certificate for devices",
          "renew the file at `bind ... ssl crt`", shown_right, alone=True),
    Fault("devices find another's certificate", shown("wrong name"), "spray1",
          "its certificate for devices is for another name", "get one for that name", shown_right, alone=True),
    Fault("a wrong password of the probe", wrong_password(("mail", 0, "probe", "password")), "mail1",
          "the probe user cannot use it", "mail.probe.password", restored(("mail", 0)), alone=True),
    Fault("a mail server that lets wrong passwords wait", hesitant("wrong"), "mail1",
          "the probe user cannot use it", "mail.probe.password", told_the_password, alone=True),
)

SLOW = (
    Fault("the secondary is stopped", order("kill", "db2"), "db2", "does not answer", "start PostgreSQL on db2",
          done(order("start", "db2")), alone=True, slow=True),
    Fault("the secondary hangs", order("pause", "db2"), "db2", "does not answer", "a stopped or hanging process",
          done(order("resume", "db2")), alone=True, slow=True),
    Fault("the secondary answers nobody", written("hot standby", "hot_standby = off", "db2"), "db2", "does not answer",
          "write hot_standby = on in db2's configuration, and restart it", unwritten("hot standby", "db2"), alone=True,
          slow=True),
    Fault("the secondary stays on its timeline", written("timeline", "recovery_target_timeline = 'current'", "db2"),
          "db2", "recovery_target_timeline is current", "write recovery_target_timeline = 'latest'",
          unwritten("timeline", "db2"), alone=True, slow=True),
    Fault("the secondary has less room for connections", written("size", "max_connections = 90", "db2"), "db2",
          "does not answer", "its log names the reason", unwritten("size", "db2"), alone=True, slow=True),
    Fault("commits do not wait", statements("ALTER SYSTEM RESET synchronous_standby_names", RELOAD), "db1",
          "commits wait for no secondary", "tuiha plan protect", operation("protect"), alone=True, slow=True),
    Fault("the secondary does not follow", cut_off, "db1", "replication to db2 is not streaming",
          "tuiha plan degrade, then tuiha plan rejoin db2", each(operation("degrade"), operation("rejoin", "db2")),
          alone=True, slow=True),
    Fault("the secondary was promoted", statements("SELECT pg_promote()", on="db2"), "db2",
          "it accepts writes, although db1 is active", "tuiha plan degrade, then tuiha plan rejoin db2",
          each(operation("degrade"), operation("rejoin", "db2")), alone=True, slow=True),
    Fault("a server is stopped", order("kill", "s2"), "s2", "does not answer", "tuiha serve s2",
          done(order("start", "s2")), alone=True, slow=True),
    Fault("a server hangs", order("pause", "s2"), "s2", "does not answer", "systemctl restart tuiha-serve@s2",
          again("s2"), alone=True, slow=True),
    Fault("a sprayer is stopped", order("kill", "spray2"), "spray2", "its runtime socket does not answer",
          "start HAProxy", done(order("start", "spray2")), alone=True, slow=True),
    Fault("a sprayer hangs", order("pause", "spray2"), "spray2", "its runtime socket does not answer",
          "systemctl restart haproxy", again("spray2"), alone=True, slow=True),
    Fault("a mail server is stopped", order("kill", "mail1"), "mail1", "the probe user cannot use it",
          "start the mail server", each(done(order("start", "mail1")), returned), alone=True, slow=True),
    Fault("a mail server hangs", order("pause", "mail1"), "mail1", "the probe user cannot use it", "it hangs",
          each(done(order("resume", "mail1")), returned), alone=True, slow=True),
)

TOGETHER = (ROLES + DEFAULTS, SETTINGS + HINDRANCES + PARTS)  # each of these can be planted at once
FAULTS = (*ROLES, *DEFAULTS, *SETTINGS, *HINDRANCES, *PARTS, *DATABASES, *OTHERS, *SLOW)
