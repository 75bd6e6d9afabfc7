"""Remarks of `tuiha init` in words, by their code: what it found, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tuiha.model.survey.facts import Remark, RemarkCode

_FRONTENDS = "the frontends 'runtime' and 'operators' of config/haproxy.cfg"
_AGAIN = "Correct this and run `tuiha init` again, or complete the entry by hand."

Words = str | Callable[[Remark], str]


def said(remark: Remark) -> str:
    """The sentences of a remark: what was found, and what to do."""
    words = _TEXTS[remark.code]
    return words(remark) if callable(words) else words.format(of=remark.subject, detail=remark.detail)


def _no_backend(remark: Remark) -> str:
    named = f"HAProxy has no backend {remark.subject} with servers that have addresses." if remark.subject else \
        "HAProxy has no backend with servers that have addresses."
    return f"{named} Name another one with --backend, or write the servers here by hand."


def _other_backends(remark: Remark) -> str:
    return (f"These are the servers of HAProxy's backend {remark.subject}. It has other backends: {remark.detail}. "
            "If another one is right, run `tuiha init` again with `--backend NAME`.")


def _unnamed(remark: Remark) -> str:
    name = f"under the name {remark.detail}" if remark.detail else "without a name of its own"
    return (f"The secondary at {remark.subject} follows {name}. Set application_name in its primary_conninfo to its "
            "name in this file.")


def _partner(remark: Remark) -> str:
    where = f" from {remark.detail}" if remark.detail else ""
    return (f"A secondary called {remark.subject} follows{where}, and tuiha could not log in to it. Name both "
            "databases: `--postgres HOST:PORT`, twice.")


_TEXTS: Mapping[RemarkCode, Words] = {
    RemarkCode.UNREAD_SPRAYER:
        "HAProxy's runtime socket {of} could not be read: {detail}. Start HAProxy, correct the path, or let this user "
        "use the socket.",
    RemarkCode.NO_BACKEND: _no_backend,
    RemarkCode.OTHER_BACKENDS: _other_backends,
    RemarkCode.NO_SOCKET:
        "HAProxy has no runtime socket that tuiha can use. Add to its section global: `stats socket "
        "/run/haproxy/admin.sock mode 660 level admin`",
    RemarkCode.PLAIN_SOCKET:
        "HAProxy's runtime socket {of} speaks plain text on the network, and tuiha does not use it. Add "
        f"{_FRONTENDS}.",
    RemarkCode.LOCAL_SOCKET:
        "HAProxy's runtime socket {of} works only on each sprayer's own host. To reach it from elsewhere, add "
        f"{_FRONTENDS}.",
    RemarkCode.NO_FRONT: "No frontend of HAProxy leads to backend {of}. Write the address that devices use.",
    RemarkCode.CONDITION:
        "Line {of} of HAProxy's configuration has a condition, and tuiha read its first branch. Check what was "
        "read.",
    RemarkCode.VARIABLE:
        "The address of server {of} is {detail}, a variable that only HAProxy knows. Write the server here with its "
        "address.",
    RemarkCode.NO_ADDRESS:
        "Server {of} has no HOST:PORT in HAProxy (it has {detail}). Write the server here with its address.",
    RemarkCode.TEMPLATE:
        "HAProxy finds the servers {of} in DNS ({detail}). They need no entry: they join when they start with `tuiha "
        "serve NAME --listen HOST:PORT`.",
    RemarkCode.PLAIN_SERVER:
        "HAProxy reaches {of} without TLS, and tuiha does not accept that between machines. Add to the server's line "
        "in HAProxy: `ssl verify required ca-file FILE`",
    RemarkCode.SAME_ADDRESS:
        "Server {of} has the same address as {detail} and was left out. Every server needs an address of its own.",
    RemarkCode.TOO_MANY:
        "Backend {of} has more than {detail} servers, and the others were left out. They need no entry: servers join "
        "when they start.",
    RemarkCode.RENAMED:
        "tuiha does not accept the name {of} and writes {detail}. Give it that name where it is configured: both must "
        "use the same name.",
    RemarkCode.NAME_TAKEN:
        "The name {of} belongs to another node of the pool, so tuiha writes {detail}. Every node needs a name of its "
        "own: rename one of them where it is configured.",
    RemarkCode.UNREAD_DATABASE: "The database at {of} could not be read: {detail}. " + _AGAIN,
    RemarkCode.NOT_LOGGED_IN:
        "No password was given, so tuiha did not log in to the databases. To have identity and names filled in, set "
        "PGPASSWORD and run `tuiha init` again.",
    RemarkCode.NO_TLS:
        "The database at {of} has no TLS, and tuiha does not accept that between machines. Set ssl = on there "
        "(config/postgresql.md, step 1).",
    RemarkCode.UNTRUSTED:
        "{of}: {detail}. Name the authority that signed the certificate with `--ca FILE`, or at tls.ca in this file.",
    RemarkCode.NO_DATABASE:
        "PostgreSQL at {of} has no database called {detail} yet. config/postgresql.md, step 3, creates it and the "
        "roles.",
    RemarkCode.OLD_POSTGRES: "The database at {of} is PostgreSQL {detail}. tuiha needs version 15 or newer: update it.",
    RemarkCode.TWO_PRIMARIES:
        "Both databases are primaries. Make one of them the secondary of the other: config/postgresql.md, step 4.",
    RemarkCode.NO_PRIMARY:
        "Both databases are secondaries. Promote one of them, or name their primary with --postgres.",
    RemarkCode.OTHER_SYSTEM:
        "The two databases are no pair: their system identifiers differ. Make one a copy of the other "
        "(config/postgresql.md, step 4), or name the right hosts.",
    RemarkCode.UNNAMED_FOLLOWER: _unnamed,
    RemarkCode.NOT_SYNCHRONOUS:
        "Commits wait for no secondary, so a failover can lose changes. When the pool runs: `tuiha plan protect`",
    RemarkCode.PARTNER: _partner,
    RemarkCode.UNREAD_PATRONI: "Patroni at {of} could not be read: {detail}. " + _AGAIN,
    RemarkCode.PLAIN_PATRONI:
        "Patroni of {of} answers at {detail}, and tuiha does not accept plain text between machines. Set "
        "restapi.certfile and restapi.keyfile in Patroni.",
    RemarkCode.NOT_SYNCHRONOUS_PATRONI:
        "Patroni's synchronous_mode is not on, so a failover can lose changes. Set it with `patronictl edit-config`.",
    RemarkCode.NO_LEADER: "Patroni has no leader now. Run `patronictl list`, and repair the cluster first.",
    RemarkCode.PARTIAL_MEMBER:
        "Patroni does not say where its member {of} is, so it was left out. Write it here by hand.",
    RemarkCode.UNREAD_MAIL: "The mail server at {of} could not be read: {detail}. " + _AGAIN,
    RemarkCode.PLAIN_MAIL:
        "The mail server at {of} has no TLS, and tuiha does not accept that between machines. Turn on TLS or STARTTLS "
        "there.",
    RemarkCode.ONE_MAIL_SERVER:
        "Mail cluster {of} has one server. When that server is down, its users get no mail through the pool.",
}
