"""Drivers that other packages offer: the example of docs/drivers.md, installed for real."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tuiha.config.errors import ConfigError
from tuiha.config.load import load
from tuiha.drivers.factory import server_opener
from tuiha.model.reports import ServerState

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "drivers.md").read_text()
EXAMPLE = ROOT / "config" / "pool.example.yaml"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with the document's driver, and another one that is broken, as pip would leave them."""
    code = next(text for text in re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL) if "class Coin" in text)
    site = tmp_path / "site"
    (site / "my_package").mkdir(parents=True)
    (site / "my_package" / "__init__.py").write_text("")
    (site / "my_package" / "coin.py").write_text(code)
    told = site / "my_package-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    offered = re.findall(r"```toml\n\[project.entry-points.\"(.+?)\"\]\n(.*?)```", DOCUMENT, re.DOTALL)[0]
    (told / "entry_points.txt").write_text(f"[{offered[0]}]\n" + offered[1].replace('"', "") + "broken = nowhere:it\n")
    monkeypatch.syspath_prepend(str(site))
    for name in [name for name in sys.modules if name.startswith("my_package")]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


def configured(folder: Path, driver: str = "coin") -> Path:
    """The example's pool with the document's server instead of its own."""
    entry = next(text for text in re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL) if "coin" in text)
    config = folder / "pool.yaml"
    servers = entry.replace("driver: coin", f"driver: {driver}") + "\n"
    config.write_text(re.sub(r"(?ms)^servers:\n.*?(?=^# The enterprise)", servers, EXAMPLE.read_text()))
    return config


async def test_the_documents_driver_is_found_and_polled(package: Path) -> None:
    pool = load(configured(package))
    assert [server.name for server in pool.servers] == ["c1"]
    assert pool.own_servers == [], "no operator's token is ever sent to it"
    driver = server_opener(pool, package, "token")("c1", "http://127.0.0.1:1")
    assert (await driver.poll()).state is ServerState.WITHDRAWN
    (package / "there").touch()
    report = await driver.poll()
    assert (report.name, report.pool, report.state) == ("c1", pool.pool, ServerState.UP)
    await driver.close()


@pytest.mark.parametrize(("name", "words"), [
    ("htpt", "servers[0].driver: there is no driver 'htpt'; did you mean 'http'?"),
    ("zzz", "there is no driver 'zzz'; there are broken, coin, http, pool, traveler"),
    ("broken", "servers.c1.driver: the driver 'broken' cannot be imported: ModuleNotFoundError"),
])
def test_what_is_not_there_or_broken_is_said(package: Path, name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        server_opener(load(configured(package, name)), package, "token")("c1", "http://127.0.0.1:1")
