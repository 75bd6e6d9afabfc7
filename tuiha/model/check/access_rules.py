"""What pg_hba.conf says about the roles of a pool: who is let in without a proof, or in plain text. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from tuiha.model.check import facts
from tuiha.model.check.facts import FindingCode
from tuiha.model.check.finding import Finding, bad, warning
from tuiha.model.check.inspection import AccessRule

_PROVEN = frozenset({"scram-sha-256", "md5", "reject"})  # md5 asks for SCRAM where the password is kept so
_EVERYWHERE = frozenset({"all", "0.0.0.0", "::"})


def rule_findings(database: str, rules: Sequence[AccessRule], tls: bool) -> Iterator[Finding]:
    """What is wrong with the rules of one host; `tls`: the pool reaches its databases with TLS.

    A rule counts unless one before it is about the same roles and addresses: PostgreSQL takes the first that fits.
    """
    for rule in rules:
        if rule.error is not None:
            yield bad(FindingCode.ACCESS_RULE_BROKEN, database, facts.Rule(rule.line, error=rule.error))
    counted = [rule for number, rule in enumerate(rules) if rule.error is None and rule.roles
               and not any(_covers(earlier, rule) for earlier in rules[:number])]
    for rule in counted:
        about = facts.Rule(rule.line, rule.roles, rule.method)
        if rule.method not in _PROVEN and not (rule.kind == "local" and rule.method == "peer"):
            yield bad(FindingCode.ACCESS_UNPROVEN, database, about)
        elif tls and rule.kind in ("host", "hostnossl") and rule.method != "reject" and not rule.local:
            yield warning(FindingCode.ACCESS_PLAIN_TEXT, database, about)
        if rule.address in _EVERYWHERE and rule.method != "reject" and rule.netmask in (None, "0.0.0.0", "::"):
            yield warning(FindingCode.ACCESS_EVERYWHERE, database, about)


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
