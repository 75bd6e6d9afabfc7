"""The metrics of a whole pool, read back with Prometheus' own parser."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from tests.model.looks import failing, healthy, server, with_server
from tuiha.model.conclude import conclude
from tuiha.model.facts import Look, Verdict
from tuiha.watch.export.exposition import FAMILIES, exposition

Found = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(look: Look, pool: str | None = None) -> Found:
    """Name and labels (without the pool's, which all have) -> value."""
    snapshot = conclude(look)
    text = exposition(snapshot if pool is None else replace(snapshot, pool=pool))
    found: Found = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            labels = dict(sample.labels)
            assert labels.pop("pool") == (pool or look.pool)
            key = (sample.name, frozenset(labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def value(found: Found, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


def test_a_healthy_pool() -> None:
    found = read(healthy())
    assert value(found, "tuiha_pool_verdict", verdict="HEALTHY") == 1
    assert value(found, "tuiha_pool_verdict", verdict="SPLIT") == 0
    assert value(found, "tuiha_pool_protected") == 1
    assert value(found, "tuiha_server_attached", server="s1", database="db1") == 1
    assert value(found, "tuiha_database_state", database="db1", state="UP", role="PRIMARY") == 1
    assert value(found, "tuiha_server_alive", server="s1") == 1
    assert {name for name, _ in found} <= {family.name for family in FAMILIES}


def test_what_is_not_known_is_left_out_and_not_zero() -> None:
    look = with_server(healthy(), failing(replace(server("s1"), report=None, seen_at=None)))
    found = read(look)
    assert value(found, "tuiha_server_latency_seconds", server="s1") is None
    states = [dict(labels)["state"] for name, labels in found
              if name == "tuiha_server_state" and ("server", "s1") in labels]
    assert states == [conclude(look).servers[0].state]
    assert value(found, "tuiha_pool_verdict", verdict=str(Verdict.HEALTHY)) == 0
    assert sum(one for (name, _), one in found.items() if name == "tuiha_pool_problems") >= 1


def test_names_that_would_break_the_format() -> None:
    assert read(healthy(), 'a "pool"\\with\nall of it')
