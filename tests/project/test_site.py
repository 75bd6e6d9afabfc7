"""The documentation as a site: every page has its place in it, and links and lists become what the site reads."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.programs.docs import site

ROOT = Path(__file__).parents[2]
SETTINGS = yaml.safe_load((ROOT / "mkdocs.yml").read_text())


def test_every_page_has_its_place_in_the_contents() -> None:
    named = site.pages(site.expanded(SETTINGS["nav"]))
    assert len(named) == len(set(named))
    assert {f"docs/{page.relative_to(ROOT / 'docs')}" for page in (ROOT / "docs").rglob("*.md")} == {
        site.origin(page) for page in named if not page.startswith(site.BESIDE)}
    assert all((ROOT / site.origin(page)).exists() for page in named)


@pytest.mark.parametrize(("page", "link", "expected"), [
    ("ledger.md", "[a](patroni.md#who-says-what)", "[a](patroni.md#who-says-what)"),
    ("ledger.md", "[a](../README.md)", "[a](source/README.md)"),
    ("ledger.md", "[a](../config/haproxy.cfg)", "[a](source/config/haproxy.cfg)"),
    ("ledger.md", "[a](../config/systemd)", "a"),
    ("ledger.md", "[a](https://example.org/x.md)", "[a](https://example.org/x.md)"),
    ("decisions/lease.md", "[a](../architecture.md)", "[a](../architecture.md)"),
    ("decisions/lease.md", "[a](../../CHANGELOG.md)", "[a](../source/CHANGELOG.md)"),
    ("source/README.md", "[a](docs/ledger.md#etcd)", "[a](../ledger.md#etcd)"),
    ("source/README.md", '<img src="docs/pictures/home.svg">', '<img src="../pictures/home.svg">'),
    ("source/config/postgresql.md", "[a](../docs/check.md)", "[a](../../check.md)"),
])
def test_links_lead_to_the_site(page: str, link: str, expected: str) -> None:
    assert site.linked(link, page) == expected


def test_lists_are_read_as_lists() -> None:
    text = "Steps:\n1. One\n   more.\n\n   ```sh\n   run\n   ```\n2. Two\n\nText\n```sh on db1\n- code\n```\n"
    assert site.readable(text) == (
        "Steps:\n\n1. One\n    more.\n\n    ```sh\n    run\n    ```\n2. Two\n\nText\n"
        '```sh title="on db1"\n- code\n```\n')
