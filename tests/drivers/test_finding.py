"""Drivers that other packages offer: the examples of docs/drivers.md, installed for real."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest

from tests.drivers.conftest import Pair, Sprayer
from tests.drivers.daemons import PASSWORD
from tuiha.config.errors import ConfigError
from tuiha.config.load import load
from tuiha.config.plugins import DriverKind, find, offered
from tuiha.config.settings import Pool
from tuiha.drivers.conformance import DATABASE, ContractOutcome
from tuiha.drivers.factory import imported, open_drivers, server_opener
from tuiha.drivers.site import Site
from tuiha.model.reports import BackendState, DatabaseReport, DatabaseRole, ServerState, SprayerReport

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "drivers.md").read_text()
EXAMPLE = ROOT / "config" / "pool.example.yaml"
MODULES = {"coin": "class Coin", "bare": "class Bare", "stats": "class StatsPage", "trial": "async def check"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with the document's drivers, and another one that is broken, as pip would leave them."""
    site = tmp_path / "site"
    (site / "my_package").mkdir(parents=True)
    (site / "my_package" / "__init__.py").write_text("")
    for module, marker in MODULES.items():
        (code,) = (text for text in blocks("python") if marker in text)
        (site / "my_package" / f"{module}.py").write_text(code)
    told = site / "my_package-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    offers = [text.replace('[project.entry-points."', "[").replace('"]', "]").replace('"', "")
              for text in blocks("toml") if "entry-points" in text]
    assert len(offers) == 3
    text = "".join(offers).replace("coin =", "broken = nowhere:it\npool = my_package.coin:Coin\ncoin =")
    (told / "entry_points.txt").write_text(text)
    monkeypatch.syspath_prepend(str(site))
    for name in [name for name in sys.modules if name.startswith("my_package")]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


def configured(folder: Path, driver: str = "coin") -> Path:
    """The example's pool with the document's server instead of its own."""
    entry = next(text for text in blocks("yaml") if "coin" in text)
    config = folder / "pool.yaml"
    servers = entry.replace("driver: coin", f"driver: {driver}") + "\n"
    config.write_text(re.sub(r"(?ms)^servers:\n.*?(?=^# The enterprise)", servers, EXAMPLE.read_text()))
    return config


async def test_the_documents_driver_is_found_and_polled(package: Path) -> None:
    pool = load(configured(package))
    assert [server.name for server in pool.servers] == ["c1"]
    assert pool.own_servers == [], "no operator's token is ever sent to it"
    driver = server_opener(pool, package, "token")("c1", "http://127.0.0.1:1")
    assert (await driver.poll()).state is ServerState.DRAINING
    (package / "there").touch()
    report = await driver.poll()
    assert (report.name, report.pool, report.state) == ("c1", pool.pool, ServerState.UP)
    await driver.close()


def on_this_machine(folder: Path, node: str, driver: str = "bare") -> Pool:
    """A pool of one database, with the document's sprayer."""
    for name, secret in (("watch", PASSWORD), ("viewer", "v" * 32)):
        (folder / name).write_text(f"{secret}\n")
        (folder / name).chmod(0o600)
    sprayers = next(text for text in blocks("yaml") if "stats-page" in text)
    config = folder / "small.yaml"
    config.write_text(f"""pool: demo
database:
  driver: {driver}
  nodes: [{{name: db1, address: "{node}"}}]
  roles:
    pool: {{user: tuiha_pool, password: {{file: watch}}}}
    watcher: {{user: tuiha_watch, password: {{file: watch}}}}
control: {{viewer: {{file: viewer}}}}
{sprayers}""")
    return load(config)


async def test_the_documents_database_is_watched_and_conforms(package: Path, pair: Pair) -> None:
    pool = on_this_machine(package, pair.db1.address)
    drivers = open_drivers(pool, package)
    first = await drivers.databases["db1"].poll()
    await drivers.close()
    assert (first.role, first.writable, first.epoch) == (DatabaseRole.PRIMARY, True, None)
    opener = imported(DriverKind.DATABASES, "bare", "database.driver")
    node = pool.database.nodes[0]
    seen: ContractOutcome[DatabaseReport] = await DATABASE.check(
        lambda address: opener(node.model_copy(update={"address": address}), Site(pool, package)), pair.db1.address,
        well=lambda report: report.system_identifier == first.system_identifier)
    assert seen.refused == "connection refused"


async def test_the_documents_sprayer_is_watched_and_conforms(package: Path, pair: Pair, sprayer: Sprayer) -> None:
    pool = on_this_machine(package, pair.db1.address)
    assert pool.sprayers[0].socket is None
    trial = importlib.import_module("my_package.trial")
    seen: ContractOutcome[SprayerReport] = await trial.check(package / "small.yaml", sprayer.stats)
    assert seen.refused == "connection refused"
    assert {one.server: one.checked for one in seen.report.backends} == {"s1": True, "s2": False}
    assert seen.report.backends[1].state is BackendState.UP
    (theirs,) = open_drivers(pool, package).sprayers.values()
    assert type(theirs).__module__ == "my_package.stats"


@pytest.mark.parametrize(("name", "words"), [
    ("htpt", "servers[0].driver: there is no driver 'htpt'; did you mean 'http'?"),
    ("zzz", "there is no driver 'zzz'; there are broken, coin, http, pool, traveler"),
    ("broken", "servers.c1.driver: the driver 'broken' cannot be imported: ModuleNotFoundError"),
])
def test_what_is_not_there_or_broken_is_said(package: Path, name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        server_opener(load(configured(package, name)), package, "token")("c1", "http://127.0.0.1:1")


@pytest.mark.parametrize(("there", "instead", "words"), [
    ("  nodes: ", "  driver: postgers\n  nodes: ",
     "database.driver: there is no driver 'postgers'; did you mean 'postgres'?"),
    ("    address: sync", "    driver: nginx\n    address: sync",
     "sprayers[0].driver: there is no driver 'nginx'; there are haproxy, stats-page"),
    ("  - cluster: mail-west", "  - driver: pop3\n    cluster: mail-west",
     "mail[0].driver: there is no driver 'pop3'; there is imap"),
    ("  path: ledger.json", "  driver: consul\n  path: ledger.json",
     "ledger.driver: there is no driver 'consul'; there are etcd, file"),
    ("      address: db1", "      agent: {driver: telnet}\n      address: db1",
     "database.nodes[0].agent.driver: there is no driver 'telnet'; there are command, socket"),
    ("    socket: tcp:spray1", "    #", "sprayers[0]: has no socket; write socket: unix:/PATH or tcp:HOST:PORT"),
    ("    #push: false", "    driver: stats-page\n    push: true",
     "sprayers[0]: is pushed to, which is for HAProxy alone; take push out"),
])
def test_every_kind_is_looked_up_and_checked(package: Path, there: str, instead: str, words: str) -> None:
    text = EXAMPLE.read_text()
    assert there in text
    (package / "pool.yaml").write_text(text.replace(there, instead, 1))
    with pytest.raises(ConfigError, match=re.escape(words)):
        load(package / "pool.yaml")


@pytest.mark.parametrize("kind", list(DriverKind))
def test_ours_are_found_without_metadata_and_cannot_be_replaced(
    package: Path, kind: DriverKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {name for name, entry in offered(kind).items() if entry.value.startswith("tuiha.")}
    assert names, kind
    monkeypatch.setattr("tuiha.config.plugins.entry_points", lambda group: [])
    for name in names:
        entry = find(kind, name)
        assert entry is not None
        assert entry.value.startswith("tuiha.")
        assert callable(imported(kind, name, "driver"))
