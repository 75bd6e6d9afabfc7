"""Remedies for targets that could not be asked, by their cause.

A remedy is for one cause: an operator can carry it out and is done.
"""

from __future__ import annotations

from collections.abc import Mapping

from tuiha.model.problems.causes import Cause
from tuiha.model.quotes import identifier

OPERATORS_SOCKET = "name its socket of level admin at sprayers[].operator (docs/operations.md, Sprayers)"

_DATABASE: Mapping[Cause, str] = {
    Cause.REFUSED: "start PostgreSQL on {node}; if it stops again, read its log. If it runs, correct its address at "
                   "database.nodes, or port and listen_addresses in its configuration",
    Cause.SILENT: "check {node}'s host for a stopped or hanging process, a full or slow disk, a firewall that drops "
                  "packets. Do not start a second PostgreSQL beside it",
    Cause.NAME: "correct its host name at database.nodes, or enter it in DNS",
    Cause.ROUTE: "restore the network between this host and {node}",
    Cause.LOST: "its log names the reason why it ended the connection",
    Cause.EXPIRED: "renew the certificate at ssl_cert_file on {node}, and then: SELECT pg_reload_conf()",
    Cause.EARLY: "correct the clocks of {node} and of this host",
    Cause.UNTRUSTED: "name the authority that signed {node}'s certificate at database.tls.ca",
    Cause.OTHER_NAME: "write a name that is in {node}'s certificate at database.nodes, or have it signed for this name",
    Cause.CLIENT: "name a certificate that {node} accepts at database.tls.certificate, and its key at "
                  "database.tls.key",
    Cause.NO_TLS: "write ssl = on, with ssl_cert_file and ssl_key_file, in {node}'s configuration, and then: "
                  "SELECT pg_reload_conf()",
    Cause.PASSWORD: "write its password at database.roles.{task}.password. Or set it on the primary: "
                    "ALTER ROLE {role} PASSWORD '...' VALID UNTIL 'infinity' (an expired password is refused "
                    "in the same way)",
    Cause.ACCESS: "correct database.name or database.roles.{task}.user, if they are wrong. Otherwise add a line to "
                  "pg_hba.conf on {node}, and then SELECT pg_reload_conf(): {hba}",
    Cause.UNPROVEN: "check which program listens there. If it is PostgreSQL, put a line for the role into "
                    "pg_hba.conf on {node}, before any other that fits. Set its password again, and then SELECT "
                    "pg_reload_conf(): {hba}",
    Cause.NO_LOGIN: "on the primary: ALTER ROLE {role} LOGIN",
    Cause.NO_DATABASE: "correct database.name, or create the database (config/postgresql.md, step 3)",
    Cause.RIGHT: "on the primary: GRANT CONNECT ON DATABASE {database} TO {role}; what tables need is granted by the "
                 "next start of a pool server with database.roles.owner",
    Cause.FULL: "end unneeded sessions (pg_stat_activity), or write a larger max_connections on both "
                "databases and restart them, the secondary first",
    Cause.ROLE_FULL: "on the primary: ALTER ROLE {role} CONNECTION LIMIT -1",
    Cause.DATABASE_FULL: "on the primary: ALTER DATABASE {database} CONNECTION LIMIT -1",
    Cause.NO_STANDBY: "write hot_standby = on in {node}'s configuration, and restart it",
    Cause.STARTING: "wait: its log shows the progress. A secondary waits for its primary: restore the network between "
                    "them, or primary_conninfo",
    Cause.STOPPING: "start it again when it has stopped",
    Cause.LOCKED: "end the session that holds the lock: SELECT pid, query FROM pg_stat_activity WHERE pid IN (SELECT "
                  "pid FROM pg_locks WHERE granted AND mode LIKE '%Exclusive%')",
    Cause.POOLER: "name PostgreSQL's own port at database.nodes: a pooler such as pgbouncer cannot be between",
    Cause.SESSION: "on the primary: ALTER ROLE {role} RESET ALL; settings of the database or of all roles have their "
                   "own RESET",
}
_DATABASE_OTHER = "read {node}'s log; compare its address at database.nodes, and roles.{task}"

_SERVER: Mapping[Cause, str] = {
    Cause.REFUSED: "on its host: systemctl start tuiha-serve@{node} (or tuiha serve {node}); if it runs, correct its "
                   "address at servers",
    Cause.SILENT: "it hangs, or its host does: on its host, systemctl restart tuiha-serve@{node}. A second process "
                  "with its name gets no lease while the first one is alive. If it works there, a firewall drops "
                  "packets",
    Cause.NAME: "correct its host name at servers, or enter it in DNS",
    Cause.ROUTE: "restore the network between this host and {node}",
    Cause.EXPIRED: "renew the certificate at servers.tls.certificate, and restart {node}",
    Cause.EARLY: "correct the clocks of {node} and of this host",
    Cause.UNTRUSTED: "name the authority that signed {node}'s certificate at servers.tls.ca",
    Cause.OTHER_NAME: "write a name that is in {node}'s certificate at servers, or have it signed for this name",
    Cause.NO_TLS: "{node} listens without TLS: start it with the configuration of this host",
    Cause.TOKEN: "write the token of {node} at control.viewer; if {node} still has the old one, send it SIGHUP",
    Cause.OTHER_NODE: "correct its address at servers",
}
_SERVER_OTHER = "read its log; compare its address at servers"

_LEDGER: Mapping[Cause, str] = {
    Cause.MISSING: "tuiha check --create-ledger writes the first one from the active database; if there was one, "
                   "restore it from a backup instead",
    Cause.DAMAGED: "restore it from a backup; or move it away, and then: tuiha check --create-ledger",
    Cause.OTHER_NODE: "correct the section ledger (its path, or its endpoints and prefix), or `pool`. The record is "
                      "another pool's: leave it where it is",
    Cause.FORBIDDEN: "allow this user to read it, or correct the log-in at ledger",
    Cause.REFUSED: "start the store at ledger.endpoints, or correct the addresses. The record is in it: do not create "
                   "another one",
    Cause.EXPIRED: "renew the store's certificate",
    Cause.UNTRUSTED: "name the authority that signed the store's certificate at ledger.tls.ca",
    Cause.NAME: "correct the host names at ledger.endpoints",
}
_LEDGER_OTHER = ("restore the store at ledger.endpoints, or the network to it. The record is in it: do not create "
                 "another one")

_SPRAYER: Mapping[Cause, str] = {
    Cause.REFUSED: "start HAProxy on {node}; if it runs, `stats socket` or its frontend `runtime` is at another "
                   "address than sprayers.socket",
    Cause.SOCKET: "start HAProxy on this host; if it runs, name the path of its `stats socket` at sprayers.socket, "
                  "and allow this user to use it",
    Cause.SILENT: "it hangs, or its host does: on its host, systemctl restart haproxy",
    Cause.EXPIRED: "renew the certificate of its frontend `runtime`, and then: systemctl reload haproxy",
    Cause.UNTRUSTED: "name the authority that signed its certificate at sprayers.tls.ca",
    Cause.OTHER_NAME: "write a name that is in its certificate at sprayers.socket, or have it signed for this name",
    Cause.CLIENT: "name a certificate that it accepts at sprayers.tls.certificate, and its key at sprayers.tls.key",
    Cause.NAME: "correct the host name at sprayers.socket",
}
_SPRAYER_OTHER = "check sprayers.socket and sprayers.backend, and `stats socket ... level user` in its configuration"


_MAIL: Mapping[Cause, str] = {
    Cause.REFUSED: "start the mail server; if it runs, correct its address at mail.servers",
    Cause.SILENT: "it hangs, or its host does, or a firewall drops packets: test it from this host with openssl "
                  "s_client or telnet",
    Cause.NAME: "correct its host name at mail.servers, or enter it in DNS",
    Cause.EXPIRED: "renew the mail server's certificate",
    Cause.EARLY: "correct the clocks of {node} and of this host",
    Cause.UNTRUSTED: "name the authority that signed its certificate at mail.tls.ca",
    Cause.OTHER_NAME: "write a name that is in its certificate at mail.servers, or have it signed for this name",
    Cause.CLIENT: "name a certificate that it accepts at mail.tls.certificate, and its key at mail.tls.key",
    Cause.NO_TLS: "write `security: starttls` or `plain` at mail.servers, as the mail server needs it",
    Cause.PASSWORD: "write the user's password at mail.{task}.password, or create the user at the mail server",
}
_MAIL_OTHER = "its log names the reason; compare mail.servers and mail.{task}"


def database_remedy(cause: Cause | None, node: str, task: str, role: str, database: str, secure: bool) -> str:
    """What to do about a database that does not let `role` in, which is `database.roles.TASK`."""
    told = _DATABASE.get(cause or Cause.OTHER, _DATABASE_OTHER)
    return told.format(node=node, task=task, role=identifier(role), database=identifier(database),
                       hba=hba_line(role, database, secure))


def hba_line(role: str, database: str, secure: bool) -> str:
    """A line of pg_hba.conf for a role of ours; the address is for people to fill in."""
    kind = "hostssl" if secure else "host"
    return f"{kind} {_hba(database)} {_hba(role)} ADDRESS-OF-THIS-HOST/32 scram-sha-256"


def _hba(name: str) -> str:
    """A name in pg_hba.conf; in quotes where it could be a key word, or more than one."""
    return '"' + name.replace('"', '""') + '"' if identifier(name) != name and name != "tuiha" else name


def server_remedy(cause: Cause | None, node: str) -> str:
    """What to do about a pool server that cannot be asked."""
    return _SERVER.get(cause or Cause.OTHER, _SERVER_OTHER).format(node=node)


def sprayer_remedy(cause: Cause | None, node: str) -> str:
    """What to do about a sprayer whose runtime socket cannot be asked."""
    return _SPRAYER.get(cause or Cause.OTHER, _SPRAYER_OTHER).format(node=node)


def mail_remedy(cause: Cause | None, node: str, task: str) -> str:
    """What to do about a mail server that does not let a user in, which is `mail.TASK`."""
    return _MAIL.get(cause or Cause.OTHER, _MAIL_OTHER).format(node=node, task=task)


def ledger_remedy(cause: Cause | None) -> str:
    """What to do about a ledger that cannot be read."""
    return _LEDGER.get(cause or Cause.OTHER, _LEDGER_OTHER)
