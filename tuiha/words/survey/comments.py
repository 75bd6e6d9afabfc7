"""Comments in the file that `tuiha init` writes."""

from __future__ import annotations

from collections.abc import Mapping

from tuiha.model.survey.facts import Part

CHANGE = "CHANGE"  # marks a value that tuiha could not find out

SECTIONS: Mapping[Part, str] = {
    Part.SERVERS:
        "Pool servers. Servers that join automatically (`tuiha serve NAME --listen HOST:PORT`) need no entry; an "
        "entry lets the dashboard show a server that was never there.",
    Part.DATABASE:
        "The enterprise database: a pair with synchronous replication. tuiha sees which of the two is the primary.",
    Part.SPRAYERS: "IP sprayers: the load balancers in front of the pool servers (HAProxy).",
    Part.MAIL: "Mail clusters. The servers of one cluster hold the same mailboxes. tuiha cannot see that from outside: "
               "check it.",
}

# What stands in place of a part that nothing was read for.
MISSING: Mapping[Part, str] = {
    Part.SERVERS: "tuiha found no servers. Leave this as it is if they join automatically, else write one entry for "
                  "each server:",
    Part.DATABASE: "tuiha found no database. Write the hosts of the pair below; config/postgresql.md sets up a pair.",
    Part.SPRAYERS: "tuiha found no usable sprayer. Write one entry for each HAProxy, without the # in front:",
    Part.MAIL: "tuiha found no mail server. Write one entry for each cluster, without the # in front:",
}

HEAD = """\
The configuration of a pool, written by `tuiha init`. CHANGE marks a value that tuiha could not find out, NOTE says
what it found. `tuiha config example` prints every key with its meaning.

Secrets are never written here. Each one is named by file: PATH (mode 0600), env: VARIABLE, or command: [PROGRAM].
Relative paths are relative to the folder of this file. Plain text is allowed to loopback addresses only."""

# The comment behind a value.
KEYS: Mapping[str, str] = {
    "pool": "the pool's name; a server of another pool is refused",
    "server.address": "HAProxy, the other servers and the watcher reach it here",
    "ca": "the authority that signed the certificate",
    "no ca": "the system's trust store verifies certificates",
    "or ca": "or an authority of your own does",
    "database.name": "of the PostgreSQL database",
    "database.primary": "the primary now",
    "database.secondary": "the secondary now; its application_name must be this name",
    "database.node": "its application_name in PostgreSQL is this name",
    "database.member": "Patroni's name of the member",
    "database.identifier": "a database with another one is refused",
    "database.scope": "Patroni's name of the cluster",
    "role.pool": "the pool servers",
    "role.watcher": "dashboard and status: looks, and changes nothing",
    "role.coordinator": "only where operators work",
    "sprayer.address": "where devices connect",
    "sprayer.socket": "HAProxy's runtime socket",
    "sprayer.operator": "its socket of level admin; only where operators work",
    "sprayer.backend": "the backend with the pool servers",
    "sprayer.map": "HAProxy's map of users and their servers",
    "sprayer.held": "HAProxy's map of addresses that it holds",
    "mail.monitor": "logs in for every user",
    "mail.identity": "by SASL PLAIN, with the user as authorization identity",
    "mail.master": "as a master user: the log-in is USER*MASTER",
    "mail.acts": "identity, or master: docs/drivers.md says what each needs",
    "mail.probe": "an ordinary user with an INBOX, for checks",
    "ledger": "the pool's record; several operators' hosts need etcd",
    "ledger.path": "`tuiha check --create-ledger` writes the first record",
    "control.viewer": "a token that may look",
    "control.operator": "a token that may act; only where operators work",
}

CHANGES: Mapping[str, str] = {
    "database": "the database's host and port",
    "partner": "the other database of the pair",
    "patroni": "over https: tuiha accepts no plain text from another machine",
    "sprayer.host": "the name or address that devices use",
    "untrusted": "write the line below instead, with the authority that signed the certificate",
    "mail.security": "tls, starttls, or plain (loopback only)",
}


def dovecot(identity: bool) -> str:
    """What a Dovecot needs for the monitor's log-in."""
    way = "a passdb with master = yes" if identity else "a passdb with master = yes, and auth_master_user_separator = *"
    return f"Dovecot needs {way} for the monitor (docs/drivers.md, Dovecot)."


def other_mail(identity: bool) -> str:
    """What another mail server needs for the monitor's log-in."""
    if identity:
        return "The mail server must let the monitor act for other users (docs/drivers.md)."
    return "The mail server offers no SASL PLAIN. The monitor needs a master user there (docs/drivers.md)."
