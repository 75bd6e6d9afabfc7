"""What is left to do when `tuiha init` has written a configuration."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.model.words import count
from tuiha.words.survey.comments import CHANGE
from tuiha.words.survey.remarks import said

if TYPE_CHECKING:
    from tuiha.config.draft.document import DraftedPool
    from tuiha.config.settings import Pool
    from tuiha.config.values import Secret

_TOKEN = "openssl rand -hex 32"


def left_to_do(made: DraftedPool, pool: Pool, out: Path | None) -> list[str]:
    """The lines: what the file holds, remarks, values to change, secrets to create, the next command."""
    name = "the configuration" if out is None else str(out)
    mail = sum(len(cluster.servers) for cluster in pool.mail)
    parts = (count(len(pool.database.nodes), "database"), count(len(pool.servers), "pool server"),
             count(len(pool.sprayers), "sprayer"), count(mail, "mail server"))
    lines = [f"{'Printed' if out is None else 'Wrote'} {name}: {', '.join(parts)}."]
    if made.remarks:
        lines += ["", "What tuiha found:", *(f"  - {said(remark)}" for remark in made.remarks)]
    changes = [f"  line {number}: {' '.join(line.lstrip(' #').split())}"
               for number, line in enumerate(made.text.splitlines(), 1) if f"# {CHANGE}: " in line]
    if changes:
        lines += ["", f"To complete in {name} (marked {CHANGE}):", *changes]
    base = Path() if out is None else out.parent
    secrets = {base / file: told for file, told in _secrets(pool) if not (base / file).exists()}
    if secrets:
        width = max(len(str(file)) for file in secrets)
        lines += ["", "Secrets to create: one line in each file, readable by its owner alone (mode 0600).",
                  *(f"  {file!s:<{width}}  {told}" for file, told in secrets.items()), "  For example:"]
        folders = dict.fromkeys(file.parent for file in secrets)
        lines += [f"    mkdir -p -m 700 {shlex.quote(str(folder))}" for folder in folders]
        tokens = [file for file, told in secrets.items() if _TOKEN in told]
        lines += [f"    (umask 077; {_TOKEN} > {shlex.quote(str(file))})" for file in tokens]
    shown = "FILE" if out is None else shlex.quote(str(out))
    return [*lines, "", f"Next: tuiha check --config {shown}"]


def _secrets(pool: Pool) -> Iterator[tuple[Path, str]]:
    """Each secret that is a file, and whose it is."""
    roles = pool.database.roles
    for role in (roles.pool, roles.watcher):
        yield from _file(role.password, f"password of database role {role.user}")
    for cluster in pool.mail:
        for login in (cluster.monitor, cluster.probe):
            yield from _file(login.password, f"password of {login.user} at mail cluster {cluster.cluster}")
    yield from _file(pool.control.viewer, f"the viewer's token: {_TOKEN}")


def _file(secret: Secret, told: str) -> Iterator[tuple[Path, str]]:
    if secret.file is not None:
        yield secret.file, told
