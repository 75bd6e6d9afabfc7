"""Write the tables of docs/metrics.md: `python -m tests.programs.docs.metrics`, from the top of the checkout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.model.looks import failing, healthy, server, with_server
from tuiha.model.codes import ProblemCode
from tuiha.model.conclude import conclude
from tuiha.server.http.metrics import DESCRIBED
from tuiha.watch.export.exposition import FAMILIES

TARGET = Path(__file__).parents[3] / "docs" / "metrics.md"
WORDS = """# Metrics

tuiha has metrics for Prometheus, in its text format. There are two sources. Each pool server has its own `/metrics`,
without a password, on the address that devices use. `tuiha export` watches the whole pool from outside, so it also
reports parts that are down. A figure that is not known is left out.

[alerts.md](alerts.md) has alerting rules for each problem (`config/prometheus/rules.yml`), a dashboard for Grafana
(`config/grafana/pool.json`), and the way without Prometheus.
"""
PAGES = """The label `code` of `tuiha_pool_problem` names the problem, and each code has a page: what users notice,
what to check, and what to do. An alert rule can link it, for instance
`runbook_url: https://example.org/runbooks/{{ $labels.code }}.md`. The pages:"""
_TITLES = "| metric | labels | meaning |\n|---|---|---|"


def rows() -> Iterator[str]:
    """The pool's families with their labels, then a server's."""
    snapshot = conclude(with_server(healthy(), failing(server("s1"))))  # a problem, whose labels are told too
    yield f"\n## `tuiha export`\n\nEvery sample also has the label `pool`.\n\n{_TITLES}"
    for family in FAMILIES:
        names = next((labels for labels, _ in family.samples(snapshot)), {})
        yield f"| `{family.name}` | {', '.join(f'`{name}`' for name in names)} | {family.help} |"
    pages = "\n".join(f"- [`{code}`](runbooks/{code}.md)" for code in sorted(ProblemCode))
    yield f"\n## Runbooks\n\n{PAGES}\n\n{pages}"
    yield f"\n## A pool server's `/metrics`\n\n{_TITLES}"
    for name, labels, text in DESCRIBED:
        yield f"| `{name}` | {', '.join(f'`{label}`' for label in labels)} | {text} |"


def document() -> str:
    """The whole document."""
    return WORDS + "\n".join(rows()) + "\n"


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
