"""Names that a shell completes: those of the configuration, and plans and operations of this host. Nothing is asked."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping

from tuiha.cli.configuration import opened
from tuiha.model.operations.catalogue import OPERATIONS, What


def _kinds(_: argparse.Namespace) -> Iterable[str]:
    return OPERATIONS


def _servers(arguments: argparse.Namespace) -> Iterable[str]:
    return [server.name for server in opened(arguments)[0].servers]


def _databases(arguments: argparse.Namespace) -> Iterable[str]:
    return [node.name for node in opened(arguments)[0].database.nodes]


def _mail(arguments: argparse.Namespace) -> Iterable[str]:
    return [server.name for cluster in opened(arguments)[0].mail for server in cluster.servers]


def _nobody(_: argparse.Namespace) -> Iterable[str]:
    return ()


def _plans(arguments: argparse.Namespace) -> Iterable[str]:
    from tuiha.operate.records.store import store_of

    return store_of(*opened(arguments)).plans()


def _operations(arguments: argparse.Namespace) -> Iterable[str]:
    from tuiha.operate.records.store import store_of

    store = store_of(*opened(arguments))
    return (folder.id for folder in store.folders() if store.ours(folder))


_TARGETS: Mapping[str, Callable[[argparse.Namespace], Iterable[str]]] = {
    What.SERVER: _servers, What.DATABASE: _databases, What.MAIL: _mail, What.OPERATION: _operations,
}


def _targets(arguments: argparse.Namespace) -> Iterable[str]:
    """What the kind of operation on the line takes next; where no kind is known, every node."""
    words: list[str] = [word for word in arguments.line[:-1] if not word.startswith("-")]
    place = next((place for place, word in enumerate(words) if word in OPERATIONS), None)
    if place is None:
        return (*_servers(arguments), *_databases(arguments), *_mail(arguments))
    taken = OPERATIONS[words[place]].takes.at(len(words) - place - 1)
    return () if taken is None else _TARGETS.get(taken.what, _nobody)(arguments)


WORDS: Mapping[str, Callable[[argparse.Namespace], Iterable[str]]] = {
    "kinds": _kinds, "targets": _targets, "plans": _plans, "operations": _operations,
}


def completed_by(action: argparse.Action, words: str) -> None:
    """Have a shell complete an argument by one of `WORDS`."""
    action.words = words  # type: ignore[attr-defined]


def words_of(action: argparse.Action) -> str | None:
    """What an argument is completed by; None when by nothing."""
    return getattr(action, "words", None)
