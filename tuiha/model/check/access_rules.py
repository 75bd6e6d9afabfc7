"""What pg_hba.conf says about the roles of a pool: who is let in without a proof, or in plain text. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tuiha.model.check.finding import Finding, bad, warning
from tuiha.model.words import names

_PROVEN = frozenset({"scram-sha-256", "md5", "reject"})  # md5 asks for SCRAM where the password is kept so
_EVERYWHERE = frozenset({"all", "0.0.0.0", "::"})
_MEANS = {
    "trust": "whoever reaches this database is let in as any of them, without a password",
    "password": "the password is asked for in clear text: tuiha refuses that, other programs do not",
}


@dataclass(frozen=True, slots=True)
class AccessRule:
    """A line of pg_hba.conf."""

    line: int
    kind: str  # local, host, hostssl, hostnossl, ...
    roles: tuple[str, ...]  # of the pool, that it is about in the pool's database
    address: str | None
    netmask: str | None
    method: str
    error: str | None = None

    @property
    def local(self) -> bool:
        """Whether nothing of what it lets in leaves the machine."""
        if self.kind == "local":
            return True
        try:
            return ipaddress.ip_address(self.address or "").is_loopback
        except ValueError:
            return self.address == "localhost"


def rule_findings(database: str, rules: Sequence[AccessRule], tls: bool) -> Iterator[Finding]:
    """What is wrong with the rules of one host; `tls`: the pool reaches its databases with TLS.

    A rule counts unless one before it is about the same roles and addresses: PostgreSQL takes the first that fits.
    """
    reload = "then SELECT pg_reload_conf()"
    for rule in rules:
        where = f"pg_hba.conf line {rule.line}"
        if rule.error is not None:
            yield bad(database, f"{where} is not understood: {rule.error}",
                      "the whole file is refused at the next reload or start", f"correct the line, {reload}")
    counted = [rule for number, rule in enumerate(rules) if rule.error is None and rule.roles
               and not any(_covers(earlier, rule) for earlier in rules[:number])]
    for rule in counted:
        where = f"pg_hba.conf line {rule.line}"
        if rule.method not in _PROVEN and not (rule.kind == "local" and rule.method == "peer"):
            yield bad(database, f"{where} lets {names(rule.roles)} in by {rule.method}",
                      _MEANS.get(rule.method, "tuiha refuses a database that does not prove itself by SCRAM"),
                      f"write scram-sha-256 in this line, {reload}")
        elif tls and rule.kind in ("host", "hostnossl") and rule.method != "reject" and not rule.local:
            yield warning(database, f"{where} lets {names(rule.roles)} in without TLS",
                          "what a program without TLS asks and is told crosses the network in plain text",
                          f"write hostssl in this line, {reload}")
        if rule.address in _EVERYWHERE and rule.method != "reject" and rule.netmask in (None, "0.0.0.0", "::"):
            yield warning(database, f"{where} lets {names(rule.roles)} in from everywhere",
                          "a password that became known is of use anywhere", f"name the hosts that need it, {reload}")


def _covers(earlier: AccessRule, rule: AccessRule) -> bool:
    """Whether whatever fits a rule fits an earlier one: then the rule never counts."""
    if earlier.error is not None or not set(rule.roles) <= set(earlier.roles):
        return False
    if earlier.kind != rule.kind and (earlier.kind != "host" or not rule.kind.startswith("host")):
        return False
    if rule.kind == "local" or earlier.address == "all":
        return True
    try:
        outer, inner = (ipaddress.ip_network(f"{one.address}/{one.netmask}", strict=False) for one in (earlier, rule))
        return outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]
    except ValueError:
        return (earlier.address, earlier.netmask) == (rule.address, rule.netmask)
