"""The drill's checker: from what was recorded outside the pool, what was wrong. Pure functions.

- split: a server used the database of an ended epoch after another server had begun with the next one, or two servers
  used different databases in one epoch, or a database granted or renewed a lease of an ended epoch. By the servers'
  statuses and by the rows of `lease`; nothing is concluded from two looks that may have been at the same time. A server
  that holds its requests has nothing in flight: it uses nothing, though its lease may last a little longer.
- late: an answer that was released by a server that had no right to release it any more. Three kinds of evidence:
  (1) it came more than the lease (and some slack) after the newest renewal of that server that any database ever
  showed; (2) the server used one database in one epoch before the request and after the answer, and the answer came
  after a later epoch had begun; (3) it is a read that does not show a write that had been acknowledged, by whatever
  server, before the read was sent.
  It cannot see an answer that is late by less than the slack and shows nothing outdated, nor (by 1) while no database
  could be looked at for a whole lease.
- lost: a write that was acknowledged to a device and is not in the database at the end.
- outage: the longest time in which nobody's write was acknowledged, by any server.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from tuiha.lab.drill.observation.records import Ack, DrillRecording, LeaseRow, Read, Sample, Status

SLACK = 0.5  # seconds from the release of an answer to its being noticed here, on a busy machine
LET_GO = 0  # epoch of a lease row whose server said, under Patroni, that it has left the former leader
_NEAR = 1.0  # seconds within which a status tells which database an answer came through


def begun(samples: Iterable[Sample]) -> dict[int, float]:
    """Epoch -> when it began, in a database that was no secondary then.

    The epoch row says it; but never before the last look at the same database that still showed an earlier epoch.
    """
    found: dict[int, float] = {}
    last: dict[str, Sample] = {}
    for sample in sorted(samples, key=lambda s: s.received):
        before = last.get(sample.database)
        last[sample.database] = sample
        if sample.writable and sample.epoch not in found:
            earlier = before.sent if before is not None and before.epoch < sample.epoch else 0.0
            found[sample.epoch] = max(sample.changed_at, earlier)
    return found


def split(recording: DrillRecording) -> list[str]:
    """What shows servers on two databases."""
    using = [status for status in recording.statuses if status.using]
    return [*_two_in_one_epoch(using), *_old_after_new(using), *_old_leases(recording.samples)]


def _two_in_one_epoch(leased: Iterable[Status]) -> list[str]:
    where: dict[int, dict[str, Status]] = defaultdict(dict)
    for status in leased:
        where[status.epoch or 0].setdefault(status.database or "", status)
    return [
        f"epoch {epoch}: " + " and ".join(f"{s.server} on {name}" for name, s in sorted(places.items()))
        for epoch, places in sorted(where.items())
        if len(places) > 1
    ]


def _old_after_new(leased: Sequence[Status]) -> list[str]:
    first: dict[int, float] = {}
    for status in leased:
        epoch = status.epoch or 0
        first[epoch] = min(first.get(epoch, status.received), status.received)
    found: dict[tuple[str, int], str] = {}
    for status in leased:
        for epoch, at in first.items():
            if (status.epoch or 0) < epoch and status.sent > at:
                text = f"{status.server} was on {status.database} in epoch {status.epoch} after epoch {epoch} was used"
                found.setdefault((status.server, epoch), text)
    return list(found.values())


def _old_leases(samples: Sequence[Sample]) -> list[str]:
    beginnings = begun(samples)
    found: dict[tuple[str, str, int], str] = {}
    for sample in samples:
        for row in sample.leases:
            if row.epoch == LET_GO:
                continue
            later = [epoch for epoch, at in beginnings.items() if epoch > row.epoch and row.renewed_at > at]
            if later and _confirmed(row, sample, samples):
                text = f"the lease of {row.server} in epoch {row.epoch} after epoch {later[0]} began"
                found.setdefault((sample.database, row.server, row.epoch), f"{sample.database} renewed {text}")
    return list(found.values())


def _confirmed(row: LeaseRow, seen: Sample, samples: Sequence[Sample]) -> bool:
    """Whether a server may have heard of a renewal. A former primary that wakes does what it was asked before it slept:
    the row shows when it is ended, and nobody was ever told, as the commit waited for a secondary that had gone on.
    """
    return any(one.database == seen.database and row.renewed_at <= one.received <= seen.received and one.acknowledges
               for one in samples)


def late(recording: DrillRecording, lease: float) -> list[str]:
    """Answers that were released too late. `lease` is its length in seconds."""
    answers: list[Ack | Read] = [*recording.acks, *recording.reads]
    return [
        *_after_the_lease(recording, answers, lease),
        *_after_the_epoch(recording, answers),
        *stale(recording.acks, recording.reads),
    ]


def _after_the_lease(recording: DrillRecording, answers: Sequence[Ack | Read], lease: float) -> list[str]:
    renewals: dict[str, set[float]] = defaultdict(set)
    for sample in recording.samples:
        for row in sample.leases:
            renewals[row.server].add(row.renewed_at)
    ordered = {server: sorted(times) for server, times in renewals.items()}
    looks = sorted(sample.received for sample in recording.samples)
    found = []
    for answer in answers:
        times = ordered.get(answer.server, [])
        newest = bisect_right(times, answer.received) - 1
        seen = bisect_left(looks, answer.received)  # the first look after the answer shows every renewal before it
        if newest < 0 or seen == len(looks) or looks[seen] > answer.received + lease:
            continue
        over = answer.received - (times[newest] + lease)
        if over > _slack(recording, answer):
            found.append(f"{answer.server} answered {over:.2f} s after the end of its lease")
    return found


def _slack(recording: DrillRecording, answer: Ack | Read) -> float:
    """How long after its release an answer may have been noticed here: more when the recorder was kept from running."""
    near = [seconds for end, seconds in recording.stalls if abs(end - answer.received) < _NEAR]
    return SLACK + max(near, default=0.0)


def _after_the_epoch(recording: DrillRecording, answers: Sequence[Ack | Read]) -> list[str]:
    beginnings = begun(recording.samples)
    by_server: dict[str, list[Status]] = defaultdict(list)
    for status in recording.statuses:
        by_server[status.server].append(status)
    found = []
    for answer in answers:
        epoch = _epoch_around(by_server.get(answer.server, []), answer)
        if epoch is None:
            continue
        ended = min((at for later, at in beginnings.items() if later > epoch), default=None)
        if ended is not None and answer.received > ended + _slack(recording, answer):
            over = answer.received - ended
            found.append(f"{answer.server} answered from epoch {epoch}, {over:.2f} s after the next one began")
    return found


def _epoch_around(statuses: Sequence[Status], answer: Ack | Read) -> int | None:
    """The epoch in which a server was before a request and after its answer; None when that is not certain."""
    before = bisect_right(statuses, answer.sent, key=lambda s: s.received) - 1
    after = next((s for s in statuses[before + 1:] if s.sent >= answer.received), None)
    if before < 0 or after is None:
        return None
    first = statuses[before]
    if not (first.leased and after.leased and first.epoch == after.epoch):
        return None
    near = answer.sent - first.received < _NEAR and after.sent - answer.received < _NEAR
    return first.epoch if near else None


def stale(acks: Sequence[Ack], reads: Sequence[Read]) -> list[str]:
    """Reads that do not show a write which had been acknowledged, or shown by another read, before they were sent."""
    told = _told(acks, reads)
    found = []
    for read in reads:
        own = told.get(read.user, [])
        due = own[:bisect_left(own, read.sent, key=lambda one: one[0])]
        lacking = next((one for one in due if one[1] not in read.devices), None)
        if lacking is not None:
            at, device, before = lacking
            found.append(f"{read.server} did not show {device}, which {before} {read.sent - at:.2f} s before")
    return found


def _told(acks: Sequence[Ack], reads: Sequence[Read]) -> Mapping[str, list[tuple[float, str, str]]]:
    """User -> when somebody was first told of a device, which one, and by whom; in the order of time."""
    first: dict[tuple[str, str], tuple[float, str]] = {}
    for ack in acks:
        first[ack.user, ack.device] = (ack.received, f"{ack.server} had acknowledged")
    for read in reads:
        for device in read.devices:
            known = first.get((read.user, device))
            if known is None or read.received < known[0]:
                first[read.user, device] = (read.received, f"{read.server} had shown")
    told: dict[str, list[tuple[float, str, str]]] = defaultdict(list)
    for (user, device), (at, by) in first.items():
        told[user].append((at, device, by))
    return {user: sorted(each) for user, each in told.items()}


def lost(acks: Iterable[Ack], kept: Mapping[str, frozenset[str]]) -> list[str]:
    """Acknowledged writes that are not in the database. `kept`: user -> devices, read at the end."""
    return [
        f"{ack.device} of {ack.user}, acknowledged by {ack.server}"
        for ack in acks
        if ack.device not in kept.get(ack.user, frozenset())
    ]


def outage(acks: Sequence[Ack], since: float, until: float) -> float:
    """The longest time without an acknowledged write between two moments, in seconds."""
    times = sorted(ack.received for ack in acks if since <= ack.received <= until)
    return max(later - earlier for earlier, later in pairwise([since, *times, until]))


def leases_over_time(statuses: Iterable[Status], began: float) -> list[tuple[float, dict[str, int]]]:
    """How many servers said that they hold a lease on which database: (seconds since `began`, database -> servers).

    One entry for each change. A server that says nothing is counted until the lease that it spoke of has ended.
    """
    last: dict[str, Status] = {}
    found: list[tuple[float, dict[str, int]]] = []
    for status in sorted(statuses, key=lambda s: s.received):
        last[status.server] = status
        holding = [s for s in last.values() if s.leased and s.received + (s.lease_seconds or 0.0) > status.received]
        counts: dict[str, int] = {}
        for database in sorted(s.database or "" for s in holding):
            counts[database] = counts.get(database, 0) + 1
        if not found or found[-1][1] != counts:
            found.append((round(status.received - began, 1), counts))
    return found
