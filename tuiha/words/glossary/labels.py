"""Labels of the screens and terms of the documentation explained."""

from __future__ import annotations

from collections.abc import Mapping

from tuiha.words.glossary.entries import GlossaryEntry

_E = GlossaryEntry

LABELS: Mapping[str, GlossaryEntry] = {
    "FULL": _E(
        "How much of its scarcest resource a server uses, in percent. At 100 % it is OVERLOADED.",
        "Nothing below 100 %. Above it, slower answers.",
        "Even out the users with `tuiha plan rebalance`, or add a server."),
    "LIMITED BY": _E(
        "The resource that a server has least of: users, cpu, memory, files, database or another one.", "",
        "If this resource is short on every server, add a server or more of this resource."),
    "AVAILABILITY": _E(
        "The index by which servers are compared: 100 is idle, 0 is full, below 0 is overloaded, -200 is drained."),
    "LOCKED": _E("The dashboard changes nothing.", "", "Press w and type a reason to unlock changes for 15 minutes."),
    "UNLOCKED": _E("The dashboard may change the pool, until the time that is shown beside the word.", "",
                   "Press w to lock it again."),
    "REPLAY": _E("The screen shows a recording, not the pool as it is now. Operations are not possible.", "",
                 "Press esc to return to the live pool."),
    "STALE PICTURE": _E("The values on the screen are older than three polls.", "",
                        "Check the network from this host to the pool."),
    "LAG": _E("How far the secondary is behind the primary, in bytes and in seconds."),
    "P95": _E("The time within which 95 of 100 requests were answered."),
    "SEEN": _E("How long ago tuiha read this row's values."),
    "NOTE": _E("The reason for a row's state, in a few words. Enter shows the full text."),
}

TERMS: Mapping[str, GlossaryEntry] = {
    "active database": _E("The one database that servers use. The ledger names it."),
    "agent": _E("A small program on a database's host. Operations use it to stop, start and copy the database."),
    "binding": _E("The record of which server monitors a user."),
    "check": _E("A condition of a plan, with what was found, what is wanted, and a remedy."),
    "cluster": _E("Mail servers that hold the same mailboxes, so that one can replace another."),
    "cursor": _E("How far a server has read a user's mailbox. The next connection continues there."),
    "device": _E("A user's phone or computer. It keeps a key and asks for changes since that key."),
    "driver": _E("The module that connects tuiha to one kind of real system."),
    "epoch": _E("The number of the active database's reign. Each change of the active database adds 1."),
    "evidence": _E("What a step read back after its change. It proves that the step was done."),
    "fence": _E("To make sure that a database or a server cannot serve any more."),
    "generation": _E(
        "The number of a user's binding. A server that has an old number cannot record mail for that user."),
    "guard": _E(
        "A process that acts on the loss of a database without an operator, under the orders of the configuration. "
        "It starts the same operations as an operator, and overrides no check.",
        "A lost database stops writes for seconds, and not until an operator acts."),
    "heartbeat": _E("The row that each server writes every second. The other servers see by it that it is alive."),
    "hold": _E("To let requests wait while the active database changes, instead of refusing them.",
               "A short wait, at most `hold.seconds`."),
    "index": _E("Short for availability index: see AVAILABILITY."),
    "intent": _E("The ledger's record of the operation that has the pool."),
    "journal": _E("The file in which an operation records each step. `tuiha resume` continues from it."),
    "lease": _E(
        "A server's permission to use the active database, for some seconds. The server renews it all the time.",
        "A server without a lease answers 503."),
    "ledger": _E("The small record outside the databases. It names the active database, its epoch and its operation."),
    "monitor": _E("The connection that waits for a user's new mail. One server has it at a time."),
    "operation": _E("A change of the pool that is planned, confirmed, run step by step and recorded."),
    "override": _E("To continue although a check stops the plan, by typing the check's name with a reason."),
    "partner": _E("The other database of the pair, or another mail server of the same cluster."),
    "phase": _E("How far an operation has changed the databases' roles. STEADY means that none is half changed."),
    "plan": _E("What an operation would do: its checks, its steps, and what can be lost. A plan changes nothing."),
    "point of no return": _E("The step after which an operation can only be finished, not undone."),
    "pool": _E("Servers, a database pair, sprayers and mail servers that serve the same users."),
    "replication": _E("The stream of changes from the primary to the secondary."),
    "runner": _E("The process that runs an operation. It does not depend on your terminal."),
    "server": _E("A pool server: it answers devices and monitors users' mail."),
    "slot": _E("PostgreSQL's record of how far a secondary has read. The primary keeps what it still needs."),
    "sprayer": _E("The load balancer (HAProxy) between devices and servers."),
    "system identifier": _E("PostgreSQL's number of a database cluster. A copy has the same number as its original."),
    "timeline": _E("PostgreSQL's number that each promotion raises."),
    "verdict": _E("The pool in one word: HEALTHY, DEGRADED, DISPUTED, SPLIT or DOWN."),
    "WAL": _E("PostgreSQL's log of all changes. The secondary reads it."),
}

EXIT_CODES: Mapping[int, GlossaryEntry] = {
    0: _E("The command succeeded. For `tuiha status`: the pool is HEALTHY."),
    1: _E("`tuiha status`: the pool is not HEALTHY. Operations: failed, and nothing is changed."),
    2: _E("The command's words or the configuration are wrong.", "", "Read the message: it names the place."),
    3: _E("The pool, its database or its ledger could not be reached. Nothing was done.", "",
          "Check the network and the addresses: `tuiha check`."),
    4: _E("Refused by a check, a confirmation, a right or another operation. Nothing was done.", "",
          "Read the message: it names the reason."),
    5: _E("The operation is still running, or its outcome could not be read back.", "",
          "Run `tuiha operations` before you repeat the command."),
    130: _E("You stopped the command with ctrl+c. An operation in progress continues."),
    141: _E("The program that read the output ended first."),
}
