from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tuiha.config.errors import ConfigError
from tuiha.config.settings import Pool
from tuiha.drivers.factory import open_drivers
from tuiha.drivers.protocols import DriverError

SETTINGS: dict[str, Any] = {
    "pool": "demo",
    "servers": [{"name": "s1", "address": "http://127.0.0.1:1"}, {"name": "s2", "address": "https://127.0.0.1:1"}],
    "database": {
        "nodes": [{"name": "db1", "address": "127.0.0.1:1"}, {"name": "db2", "address": "[::1]:1"}],
        "roles": {
            "pool": {"user": "tuiha_pool", "password": {"env": "NOT_SET_AND_NOT_NEEDED"}},
            "watcher": {"user": "tuiha_watch", "password": {"file": "watch"}},
        },
    },
    "sprayers": [{"name": "spray1", "address": "127.0.0.1:1", "socket": "tcp:127.0.0.1:1"}],
    "mail": [{
        "cluster": "main",
        "servers": [{"name": "mail1", "address": "127.0.0.1:1", "security": "plain"},
                    {"name": "mail2", "address": "127.0.0.1:1", "security": "tls"}],
        "monitor": {"user": "m", "password": {"env": "NOT_SET_AND_NOT_NEEDED"}},
        "probe": {"user": "probe", "password": {"file": "probe"}},
    }],
    "ledger": {"path": "ledger.json"},
    "control": {"viewer": {"file": "viewer"}},
}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for name in ("watch", "probe", "viewer"):
        (tmp_path / name).write_text("secret\n")
        (tmp_path / name).chmod(0o600)
    return tmp_path


async def test_a_driver_for_everything_in_the_settings(base: Path) -> None:
    drivers = open_drivers(Pool.model_validate(SETTINGS), base)
    assert list(drivers.servers) == ["s1", "s2"]
    assert list(drivers.databases) == ["db1", "db2"]
    assert list(drivers.sprayers) == ["spray1"]
    assert list(drivers.mail) == ["mail1", "mail2"]
    groups: list[Any] = [drivers.servers, drivers.databases, drivers.sprayers, drivers.mail]
    for driver in [driver for group in groups for driver in group.values()]:
        assert "poll" in driver.capabilities
        with pytest.raises(DriverError, match=r"^connection refused$"):
            await driver.poll()
    assert drivers.ledger is not None
    with pytest.raises(DriverError, match="does not exist"):
        await drivers.ledger.poll()
    found = drivers.open_server("s9", "http://127.0.0.1:1")
    with pytest.raises(DriverError, match=r"^connection refused$"):
        await found.poll()
    await found.close()
    await drivers.close()


def test_a_pool_without_a_ledger(base: Path) -> None:
    assert open_drivers(Pool.model_validate({**SETTINGS, "ledger": None}), base).ledger is None


def test_all_missing_secrets_are_told_at_once(base: Path) -> None:
    (base / "watch").unlink()
    (base / "viewer").unlink()
    with pytest.raises(ConfigError) as caught:
        open_drivers(Pool.model_validate(SETTINGS), base)
    assert len(caught.value.problems) == 2
