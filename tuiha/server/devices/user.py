"""A user of the pool, as its row says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from zlib import crc32

from tuiha.pooldb.connection import Row
from tuiha.pooldb.statements.users import REFUSED
from tuiha.server.devices.recheck import PasswordWord


@dataclass(frozen=True, slots=True)
class User:
    """A user of the pool."""

    id: int
    name: str
    cluster: str
    password_hash: str
    disabled: bool = False  # by an operator: the password may be right, and nothing is served
    word: PasswordWord = field(default=PasswordWord(0.0), compare=False)
    asked_at: datetime | None = field(default=None, compare=False)
    read_at: float = field(default=0.0, compare=False)  # monotonic seconds

    @classmethod
    def of(cls, row: Row, now: float) -> User:
        """From a row of USER that was asked for at `now` (monotonic seconds)."""
        chance = crc32(f"{row['id']} {row['word']}".encode()) / 2**32
        word = PasswordWord(row["confirmed"], row["unanswered"], row["refused"], row["doubted"], chance)
        return cls(row["id"], row["name"], row["mail_cluster"], row["password_hash"], row["disabled"], word,
                   row["asked_at"], now)

    @property
    def verifier(self) -> str:
        """The hash of the password, whatever the mail server says of it by now."""
        return self.password_hash.removeprefix(REFUSED)

    @property
    def refused(self) -> bool:
        """Whether the mail server refuses the password by now."""
        return self.password_hash.startswith(REFUSED)
