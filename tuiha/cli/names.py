"""Names that a shell completes: those of the configuration, and plans and operations of this host. Nothing is asked."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping

from tuiha.cli.configuration import opened
from tuiha.model.operations.catalogue import OPERATIONS


def _kinds(_: argparse.Namespace) -> Iterable[str]:
    return OPERATIONS


def _nodes(arguments: argparse.Namespace) -> Iterable[str]:
    pool, _ = opened(arguments)
    mail = [server.name for cluster in pool.mail for server in cluster.servers]
    return (*(server.name for server in pool.servers), *(node.name for node in pool.database.nodes), *mail)


def _plans(arguments: argparse.Namespace) -> Iterable[str]:
    from tuiha.operate.records.store import store_of

    return store_of(*opened(arguments)).plans()


def _operations(arguments: argparse.Namespace) -> Iterable[str]:
    from tuiha.operate.records.store import store_of

    store = store_of(*opened(arguments))
    return (folder.id for folder in store.folders() if store.ours(folder))


WORDS: Mapping[str, Callable[[argparse.Namespace], Iterable[str]]] = {
    "kinds": _kinds, "nodes": _nodes, "plans": _plans, "operations": _operations,
}


def completed_by(action: argparse.Action, words: str) -> None:
    """Have a shell complete an argument by one of `WORDS`."""
    action.words = words  # type: ignore[attr-defined]


def words_of(action: argparse.Action) -> str | None:
    """What an argument is completed by; None when by nothing."""
    return getattr(action, "words", None)
