"""A PostgreSQL pair with synchronous streaming replication.

The secondary is a cold copy of the primary, made before either has run: the same system identifier, and both start
at once. Settings and access rules lie outside the data folders, so that pg_rewind cannot replace them; both nodes
get the same ones, so that either can be the primary later. What differs with the role (`synchronous_standby_names`)
is set by ALTER SYSTEM, as a coordinator does it.
"""

from __future__ import annotations

import signal
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tuiha.lab.pool.children import ChildCommand
from tuiha.lab.pool.layout import Layout
from tuiha.model.quotes import conninfo, pgpass, setting, slot

DATABASE = "tuiha"
SUPERUSER = "postgres"
PROOF = "scram-sha-256"  # what libpq answers (require_auth): who listens on a stopped database's port hears no password

# A role reaches what it needs and nothing else; whatever is not named is refused.
_ACCESS = f"""\
local   all          {SUPERUSER}                                          scram-sha-256
host    all          {SUPERUSER}                            127.0.0.1/32  scram-sha-256
host    {DATABASE}        tuiha_owner,tuiha_pool,tuiha_watch  127.0.0.1/32  scram-sha-256
host    {DATABASE}        tuiha_coordinator                   127.0.0.1/32  scram-sha-256
host    replication  tuiha_replica                       127.0.0.1/32  scram-sha-256
"""

_SETTINGS = """\
# The same on both databases of the pair. What belongs to one of them is in node.conf.
listen_addresses = '127.0.0.1'
max_connections = {connections}
superuser_reserved_connections = 5
password_encryption = scram-sha-256
scram_iterations = 256              # the passwords are 192 random bits: more rounds add nothing
shared_buffers = 32MB
dynamic_shared_memory_type = mmap   # in the data folder, so that nothing is left in /dev/shm
io_method = sync
jit = off
max_wal_size = 256MB
wal_level = replica
wal_log_hints = on                  # pg_rewind needs it
hot_standby = on
max_wal_senders = 10                # a secondary must not have fewer than initdb's 10
max_replication_slots = 10
wal_keep_size = 128MB               # who rejoins needs what was written before its slot was made
max_slot_wal_keep_size = 512MB      # a secondary that is away does not fill the disk
wal_retrieve_retry_interval = 100ms
wal_receiver_status_interval = 1s
wal_receiver_timeout = 5s
wal_sender_timeout = 5s
tcp_keepalives_idle = 5
tcp_keepalives_interval = 1
tcp_keepalives_count = 3
tcp_user_timeout = 8s
log_line_prefix = '%m [%p] %q%u@%d %a '
log_checkpoints = off
lc_messages = 'C'
hba_file = {access}
include {node}
"""

_NODE = """\
# What belongs to this database alone.
port = {port}
cluster_name = {name}
unix_socket_directories = {folder}
primary_conninfo = {source}
primary_slot_name = {slot}
"""


class DatabaseSetupError(Exception):
    """The database pair could not be set up. The text is for people."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Names and ports of the two databases; the first is set up as the primary."""

    layout: Layout
    programs: Path  # the folder with postgres and initdb
    ports: Mapping[str, int]  # name -> port, two of them
    connections: int  # max_connections

    @property
    def names(self) -> tuple[str, str]:
        """Primary and secondary, as they are set up."""
        first, second = self.ports
        return first, second

    def data(self, name: str) -> Path:
        """The data folder of one database."""
        return self.layout.node(name) / "data"

    def partner(self, name: str) -> str:
        """The other database."""
        first, second = self.names
        return second if name == first else first

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every PostgreSQL program."""
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

    def command(self, name: str) -> ChildCommand:
        """How one database is started: as a direct child, without pg_ctl, whose waiting polls at 100 ms."""
        settings = self.layout.node(name) / "postgresql.conf"
        return ChildCommand(
            [str(self.programs / "postgres"), "-D", str(self.data(name)), "-c", f"config_file={settings}"],
            cwd=self.layout.node(name), env=self.environment,
            death_signal=signal.SIGINT,  # end the sessions, stop cleanly, leave no shared memory
        )

    def initdb(self) -> ChildCommand:
        """How the data folder of the first database is made."""
        first = self.names[0]
        return ChildCommand(
            [str(self.programs / "initdb"), "-D", str(self.data(first)), "-U", SUPERUSER, "--auth=scram-sha-256",
             f"--pwfile={self.layout.secret('postgres')}", "--encoding=UTF8", "--locale=C", "--no-instructions",
             "--no-sync"],
            cwd=self.layout.node(first), env=self.environment, ends=True,
        )

    def copy(self) -> ChildCommand:
        """How the second is made from the first, which has never run: a whole database is in the files."""
        first, second = self.names
        return ChildCommand(["cp", "-a", str(self.data(first)), str(self.data(second))],
                            cwd=self.layout.folder, env=self.environment, ends=True)

    def prepare(self) -> None:
        """Make the folders and write the settings of both databases."""
        for name in self.names:
            self.layout.make_node(name)
            _write_settings(self, name)

    def make_secondary(self) -> None:
        """Have the second database follow the first when it starts."""
        self.layout.write(self.data(self.names[1]) / "standby.signal", "")


def system_identifier(data: Path) -> str:
    """A database's identity: the first eight bytes of its control file."""
    raw = (data / "global" / "pg_control").read_bytes()[:8]
    return str(struct.unpack("=Q", raw)[0])


def _write_settings(pair: Pair, name: str) -> None:
    layout, folder = pair.layout, pair.layout.node(name)
    partner = pair.partner(name)
    passfile = folder / "replica.pgpass"
    layout.write(passfile,
                 pgpass("127.0.0.1", str(pair.ports[partner]), "*", "tuiha_replica",
                        layout.read_secret("tuiha_replica")) + "\n")
    layout.write(folder / "pg_hba.conf", _ACCESS)
    layout.write(folder / "node.conf", _NODE.format(
        name=setting(name), port=pair.ports[name], folder=setting(str(folder)), slot=setting(slot(name)),
        source=setting(conninfo({
            "host": "127.0.0.1", "port": str(pair.ports[partner]), "user": "tuiha_replica", "application_name": name,
            "passfile": str(passfile), "connect_timeout": "2", "require_auth": PROOF}))))
    layout.write(folder / "postgresql.conf", _SETTINGS.format(
        connections=pair.connections, access=setting(str(folder / "pg_hba.conf")),
        node=setting(str(folder / "node.conf"))))
