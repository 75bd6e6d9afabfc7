from __future__ import annotations

from tests.drivers.conftest import own_pair, pair, prepared_pair  # noqa: F401
from tests.server.conftest import attach, node  # noqa: F401
