"""The ledger in etcd v3, for pools that several hosts operate: one transaction for a change, a lease on the intent.

Below PREFIX/POOL/ there are five keys:

    record   the record as JSON; its `revision` is the key's own (mod_revision)
    write    a mark of the last change: who lost the answer to a transaction finds out whether it was the own one
    holder   which operation changes the pool, from which host; on a lease, so that it ends with the last process of it
    guard    what guards share
    active   the active guard's mark and its word, on a lease of that guard

A change is one transaction: the record is at the revision that was seen, and nobody else holds the intent. It may be
sent twice, to several endpoints: it happens once at most.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tuiha.config import tls as certificates
from tuiha.drivers.ledgers.gateway import Gateway, GatewayAnswer, Login, NoAnswer, Rejected
from tuiha.drivers.ledgers.record import SIZE_LIMIT, parse, written
from tuiha.drivers.protocols import Conflict, DriverError, GuardTexts
from tuiha.model.problems.causes import Cause
from tuiha.model.reports import LedgerRecord

if TYPE_CHECKING:
    from tuiha.config.parts import Ledger
    from tuiha.drivers.site import Site
import base64
import binascii


@dataclass(frozen=True, slots=True)
class Value:
    """One key's value."""

    raw: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class Stored:
    """The keys at one revision."""

    record: Value | None
    write: Value | None
    holder: Value | None
    guard: Value | None = None
    active: Value | None = None


def in_base64(value: str | bytes) -> str:
    """Bytes, or a text, as JSON carries them."""
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


def unchanged(key: str, revision: int) -> dict[str, str]:
    """The key was changed last at this revision; 0: it does not exist."""
    return {"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": str(revision)}


def put(key: str, raw: bytes, lease: str | None = None) -> dict[str, Any]:
    """Set a key, on a lease or for good."""
    request = {"key": key, "value": in_base64(raw)}
    return {"request_put": request if lease is None else {**request, "lease": lease}}


def revision_of(body: Mapping[str, Any]) -> int:
    """The revision that an answer is from. Raises DriverError."""
    try:
        return int(body["header"]["revision"])
    except (KeyError, TypeError, ValueError):
        raise DriverError("etcd's answer has no revision") from None


def ranged(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The range that a failed transaction answers with. Raises DriverError when it has none."""
    try:
        found = body["responses"][0]["response_range"]
    except (KeyError, IndexError, TypeError):
        found = None
    if not isinstance(found, dict):
        raise DriverError("etcd's answer to a transaction is not understood")
    return found


def stored_in(folder: str, body: Mapping[str, Any]) -> Stored:
    """The keys of a range. Raises DriverError for an answer that is none of etcd's."""
    found: dict[str, Value] = {}
    try:
        for pair in body.get("kvs", ()):
            name = base64.b64decode(pair["key"], validate=True).decode().removeprefix(folder)
            found[name] = Value(base64.b64decode(pair.get("value", ""), validate=True), int(pair["mod_revision"]))
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
        raise DriverError("etcd's answer is not understood") from None
    return Stored(*(found.get(name) for name in ("record", "write", "holder", "guard", "active")))


log = logging.getLogger("tuiha.ledger")

GUARD_SECONDS = 5  # how long a guard stays the active one after its last sign of life
LEASE_SECONDS = 15  # how long an intent is held after the last sign of life of its holder
_NEVER = 1  # a revision that no key has: 0 would mean that there is no key
_READ_ROUNDS = 2
_WRITE_ROUNDS = 4
_NOT_KNOWN = "Whether the ledger was changed is not known: read it again"
_TRIES = 3  # the holder may change between a look and the transaction


@dataclass(frozen=True, slots=True)
class EtcdClaim:
    """Which operation, from which host."""

    operation: str
    host: str

    def raw(self) -> bytes:
        """As the key `holder` has it."""
        return json.dumps({"operation": self.operation, "host": self.host}).encode()


class EtcdLedger:
    """The pool's record in etcd. Use one of them on one event loop, and close it.

    Whoever writes an intent holds it by a lease that is renewed until the intent is released or this is closed; a
    record with an intent is changed by its operation, from its host, by who takes over after the lease has ended, or
    by an operation that puts its own intent in the place of the one that it has read.
    """

    capabilities: frozenset[str] = frozenset({"poll", "create", "replace", "lease", "guard"})

    def __init__(self, gateway: Gateway, prefix: str, pool: str, host: str | None = None,
                 lease_seconds: int = LEASE_SECONDS) -> None:
        self._gateway = gateway
        self._pool = pool
        self._host = host or socket.gethostname()
        self._folder = f"{prefix.rstrip('/')}/{pool}/"
        self._lease_seconds = lease_seconds
        self._lease: str | None = None
        self._held: EtcdClaim | None = None
        self._revision = 0  # of the record, as written here last
        self._holder = 0  # revision of the key `holder`, as seen last
        self._keeping: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()  # holder and lease belong together
        self._mark = uuid.uuid4().hex  # of this guard
        self._guard_lease: str | None = None
        self._active = 0  # revision of the key `active`, as written here last

    async def poll(self) -> LedgerRecord:
        """The record. Raises DriverError when it is missing or damaged, or etcd cannot be asked."""
        return self._understood((await self._read()).record)

    async def create(self, record: LedgerRecord) -> LedgerRecord:
        """Write the first record. Raises Conflict when there is one already, even a damaged one; DriverError."""
        self._refuse_other(record)
        mark = uuid.uuid4().hex
        answer = await self._change([unchanged(self._key("record"), 0)], self._puts(record, mark))
        if answer.body.get("succeeded"):
            return replace(record, revision=revision_of(answer.body))
        stored = stored_in(self._folder, ranged(answer.body))
        if not answer.repeated or (mine := await self._found(mark, 0, stored)) is None:
            raise Conflict(f"there is a ledger of the pool {self._pool} in etcd already")
        return replace(record, revision=mine)

    async def replace(self, old: LedgerRecord, new: LedgerRecord) -> LedgerRecord:
        """Write `new` if the stored revision is still that of `old`. Raises Conflict, DriverError.

        A DriverError that says so leaves open whether the change was made: read again to know.
        """
        self._refuse_other(new)
        claim, before = self._claim(new.intent or old.intent), self._claim(old.intent)
        taken = claim is not None and before is not None and claim.operation != before.operation
        async with self._changing:
            return await self._replace(old, new, claim, before.operation if taken and before is not None else None)

    async def _replace(self, old: LedgerRecord, new: LedgerRecord, claim: EtcdClaim | None,
                       gives_way: str | None) -> LedgerRecord:
        mark = uuid.uuid4().hex
        repeated = False
        for _ in range(_TRIES):
            compare = [unchanged(self._key("record"), old.revision or _NEVER)]
            compare += [] if claim is None else [unchanged(self._key("holder"), self._holder)]
            answer = await self._change(compare, [*self._puts(new, mark), *await self._holding(new, claim)])
            repeated |= answer.repeated
            if answer.body.get("succeeded"):
                return self._changed(new, claim, revision_of(answer.body))
            stored = stored_in(self._folder, ranged(answer.body))
            mine = await self._found(mark, old.revision, stored) if repeated else None
            if mine is not None:
                return self._changed(new, claim, mine)
            self._refuse_if_changed(old, stored)
            self._learn_holder(claim, stored.holder, gives_way)
        raise DriverError(f"the intent of the pool {self._pool} changes hands all the time; try again")

    async def holder(self) -> str | None:
        """The host whose operation holds the intent; None when nobody does, or the lease has ended. DriverError."""
        value = (await self._read()).holder
        return None if value is None else _claimed(value).host

    async def guard_texts(self) -> GuardTexts:
        """What guards share, and the word of the active one. Raises DriverError."""
        stored = await self._read()
        notes, active = stored.guard, stored.active
        return GuardTexts(None if notes is None else notes.raw.decode(errors="replace"),
                          0 if notes is None else notes.revision, None if active is None else _marked(active)[1])

    async def note_guard(self, revision: int, notes: str) -> int:
        """Write the notes if they still have that revision; returns the new one. Raises Conflict, DriverError."""
        key = self._key("guard")
        answer = await self._change([unchanged(key, revision)], [put(key, notes.encode())])
        if answer.body.get("succeeded"):
            return revision_of(answer.body)
        found = stored_in(self._folder, ranged(answer.body)).guard
        if answer.repeated and found is not None and found.raw == notes.encode():
            return found.revision
        raise Conflict(f"the guards' notes are at another revision than {revision}")

    async def hold_guard(self, report: str) -> bool:
        """Be the active guard by a lease, or stay it; False while another one is. Raises DriverError."""
        raw = json.dumps({"mark": self._mark, "report": report}).encode()
        if self._guard_lease is None or not await self._renewed(self._guard_lease):
            self._guard_lease, self._active = await self._granted(GUARD_SECONDS), 0
        for _ in range(_TRIES):
            answer = await self._change([unchanged(self._key("active"), self._active)],
                                        [put(self._key("active"), raw, self._guard_lease)])
            if answer.body.get("succeeded"):
                self._active = revision_of(answer.body)
                return True
            found = stored_in(self._folder, ranged(answer.body)).active
            if found is not None and _marked(found)[0] != self._mark:
                return False
            self._active = 0 if found is None else found.revision  # it ended, or an answer of before was lost
        return False

    async def drop_guard(self) -> None:
        """Be the active guard no more. Raises DriverError."""
        lease, self._guard_lease = self._guard_lease, None
        if lease is not None:
            await self._gateway.ask("/v3/lease/revoke", {"ID": lease})

    async def close(self) -> None:
        """Stop renewing, drop the connections. An intent that is still there is held until its lease ends."""
        await self._let_go()
        await self._gateway.close()

    # What a change is made of

    def _key(self, name: str) -> str:
        return in_base64(self._folder + name)

    def _puts(self, record: LedgerRecord, mark: str) -> list[dict[str, Any]]:
        raw = written(replace(record, revision=0))
        return [put(self._key("record"), raw), put(self._key("write"), mark.encode())]

    async def _holding(self, new: LedgerRecord, claim: EtcdClaim | None) -> list[dict[str, Any]]:
        """Take or keep the intent with a lease, or give it back."""
        if claim is None:
            return []
        if new.intent is None:
            return [{"request_delete_range": {"key": self._key("holder")}}]
        if self._lease is None or self._held is None:  # nobody renewed one that held nothing
            self._lease = await self._granted(self._lease_seconds)
        return [put(self._key("holder"), claim.raw(), self._lease)]

    async def _granted(self, seconds: int) -> str:
        answer = await self._gateway.ask("/v3/lease/grant", {"TTL": str(seconds)}, _WRITE_ROUNDS)
        if not isinstance(lease := answer.body.get("ID"), str):
            raise DriverError("etcd granted no lease")
        return lease

    async def _change(
        self, compare: Sequence[Mapping[str, Any]], success: Sequence[Mapping[str, Any]]
    ) -> GatewayAnswer:
        body = {"compare": compare, "success": success, "failure": [{"request_range": self._range()}]}
        try:
            return await self._gateway.ask("/v3/kv/txn", body, _WRITE_ROUNDS)
        except NoAnswer as error:
            if error.unsure:
                raise DriverError(f"{error}. {_NOT_KNOWN}") from None
            raise

    def _range(self) -> dict[str, str]:
        last = self._folder[:-1] + "0"  # '0' comes after '/'
        return {"key": in_base64(self._folder), "range_end": in_base64(last)}

    async def _read(self, revision: int = 0) -> Stored:
        """The keys now, or as they were. A read is linearizable: a member without a quorum does not answer it."""
        body = {**self._range(), **({"revision": str(revision)} if revision else {})}
        return stored_in(self._folder, (await self._gateway.ask("/v3/kv/range", body, _READ_ROUNDS)).body)

    async def _found(self, mark: str, since: int, stored: Stored) -> int | None:
        """The revision of the change with this mark, if it was made after `since`; None when it was not."""
        while stored.write is not None and stored.write.revision > since:
            if stored.write.raw == mark.encode():
                return stored.write.revision
            try:
                stored = await self._read(stored.write.revision - 1)
            except Rejected:  # compacted: the past is gone
                raise DriverError(f"etcd lost the answer to a change, and its history is gone. {_NOT_KNOWN}") from None
        return None

    # What follows from a change

    def _changed(self, new: LedgerRecord, claim: EtcdClaim | None, revision: int) -> LedgerRecord:
        self._revision = revision
        if claim is not None and new.intent is not None:
            self._holder, self._held = revision, claim
            if self._keeping is None:
                self._keeping = asyncio.create_task(self._keep())
        elif claim is not None:
            self._holder, self._held = 0, None  # the lease has no key any more, and ends by itself
        return replace(new, revision=revision)

    def _refuse_if_changed(self, old: LedgerRecord, stored: Stored) -> None:
        record = self._understood(stored.record)
        if record.revision != old.revision:
            raise Conflict(f"the ledger is at revision {record.revision}, not {old.revision}")

    def _learn_holder(self, claim: EtcdClaim | None, holder: Value | None, gives_way: str | None) -> None:
        """Go on with the holder as it is now. Raises DriverError when it is another one that does not give way."""
        if holder is None:
            self._holder, self._lease = 0, None  # a lease of ours ended, and took the key along
            return
        other = _claimed(holder)
        if other != claim and other.operation != gives_way:
            raise DriverError(f"operation {other.operation} holds the pool from {other.host}; if that host is "
                              f"gone, its hold ends {self._lease_seconds} s after its last sign of life")
        self._holder = holder.revision

    def _claim(self, intent: str | None) -> EtcdClaim | None:
        if intent is None:
            return None
        try:
            return EtcdClaim(str(json.loads(intent)["id"]), self._host)
        except (ValueError, TypeError, KeyError, RecursionError):
            return EtcdClaim(intent, self._host)

    def _refuse_other(self, record: LedgerRecord) -> None:
        if record.pool != self._pool:
            raise DriverError(f"the ledger in etcd belongs to pool {self._pool}, not to {record.pool}")

    def _understood(self, value: Value | None) -> LedgerRecord:
        if value is None:
            raise DriverError(f"etcd has no ledger of the pool {self._pool}; it is created with the pool",
                              Cause.MISSING)
        try:
            if len(value.raw) > SIZE_LIMIT:
                raise ValueError("it is too large")
            record = replace(parse(value.raw), revision=value.revision)
        except ValueError as error:
            raise DriverError(f"the ledger of the pool {self._pool} in etcd is damaged ({error}); restore the key "
                              f"{self._folder}record from a backup, or create it again", Cause.DAMAGED) from None
        if record.pool != self._pool:
            raise DriverError(f"the key {self._folder}record in etcd belongs to pool {record.pool}, not to "
                              f"{self._pool}; restore it from this pool's own backup, or create it again",
                              Cause.OTHER_NODE)
        return record

    # The lease

    async def _keep(self) -> None:
        """Renew the lease as long as the intent is held; take it again when it was lost and nobody else has."""
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            try:
                async with self._changing:
                    if self._held is not None and not await self._renewed(self._lease or "0"):
                        await self._hold_again(self._held)
            except DriverError as error:
                log.warning("the ledger's lease was not renewed", extra={"error": str(error)})

    async def _renewed(self, lease: str) -> bool:
        answer = await self._gateway.ask("/v3/lease/keepalive", {"ID": lease})
        result = answer.body.get("result")
        return isinstance(result, dict) and str(result.get("TTL", "0")) != "0"

    async def _hold_again(self, claim: EtcdClaim) -> None:
        """The lease has ended while the operation goes on: hold the intent again, unless the ledger was changed."""
        self._lease = await self._granted(self._lease_seconds)
        compare = [unchanged(self._key("record"), self._revision), unchanged(self._key("holder"), 0)]
        answer = await self._change(compare, [put(self._key("holder"), claim.raw(), self._lease)])
        if answer.body.get("succeeded"):
            self._holder = revision_of(answer.body)

    async def _let_go(self) -> None:
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)


def _claimed(value: Value) -> EtcdClaim:
    """Who holds the intent; one that cannot be read is somebody's all the same."""
    try:
        found = json.loads(value.raw)
        return EtcdClaim(str(found["operation"]), str(found["host"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return EtcdClaim("unknown", "an unknown host")


def _marked(value: Value) -> tuple[str, str | None]:
    """The mark of the active guard, and its word."""
    try:
        found = json.loads(value.raw)
        return str(found["mark"]), str(found["report"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return "", None


def open_etcd_ledger(ledger: Ledger, site: Site) -> EtcdLedger:
    """The ledger in etcd. Raises ConfigError; may block on a secret."""
    login = None
    if ledger.user is not None and ledger.password is not None:
        login = Login(ledger.user, site.secret(ledger.password))
    secure = any(endpoint.startswith("https://") for endpoint in ledger.endpoints)
    context = certificates.client(ledger.tls, site.base) if secure else None
    return EtcdLedger(Gateway(ledger.endpoints, ledger.timeout, context, login), ledger.prefix, site.pool.pool)
