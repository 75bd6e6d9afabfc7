"""A new file in one step: it is there whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path


class NewFile:
    """Written beside the place that it is for, and given its name when it is whole; else it goes away."""

    def __init__(self, out: Path) -> None:
        self._out = Path(os.path.realpath(out))
        self.path = self._out.with_name(f".{self._out.name}.{os.getpid()}")

    def __enter__(self) -> NewFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.path.unlink(missing_ok=True)

    def write(self, text: str) -> None:
        """Write it down to the disk. Raises OSError."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with open(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(descriptor)

    def publish(self, force: bool) -> None:
        """Give it its name. Another file of that name is replaced only by `force`; else raises FileExistsError.

        Raises OSError.
        """
        if force:
            os.replace(self.path, self._out)
            return
        try:
            os.link(self.path, self._out)  # unlike a rename it never replaces anything
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if os.path.lexists(self._out):
                raise FileExistsError(self._out) from None
            os.replace(self.path, self._out)
