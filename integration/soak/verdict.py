"""The verdict of a soak, by rule: what was seen, and whether a known reason covers it."""

import collections
import json
import statistics
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Sequence, Tuple

from integration.soak.events import Event, Excuse
from integration.soak.gateway import LIFE, ONE_RETRY, Gateway

_STALL = 5.0
"""Seconds that a program takes to start on a machine that stalls: a renewal starts several."""
_HANG = 10.0
"""Seconds after which a page hangs."""
_STALE = 3 * LIFE
"""Seconds after which a temporary file is stale."""


class Seen(NamedTuple):
    """What the observer has written."""

    samples: List[Dict[str, Any]]
    controls: List[List[Any]]
    pages: List[List[Any]]


def read(path: str) -> Seen:
    """Return what an observer has written into a file."""
    with open(path) as file:
        samples = [json.loads(line) for line in file if line.endswith("\n")]
    controls = [one for sample in samples for one in sample["controls"]]
    pages = [one for sample in samples for one in sample["pages"]]
    return Seen(samples, controls, pages)


def excuses(gateway: Gateway, events: Sequence[Event], seen: Seen) -> List[Excuse]:
    """Return the known reasons: those of the events, and the stalls of the machine itself."""
    found = [one for one in (event.excuse(gateway) for event in events) if one is not None]
    stalls = [
        Excuse("(the machine stalled)", (), began, began + took + ONE_RETRY)
        for began, took, _ in seen.controls
        if took > _STALL
    ]
    found += stalls
    found += [one for event in events for one in _compounded(event, found)]
    return sorted(found, key=lambda one: not one.users)  # a reason of the user's own comes first


def _compounded(event: Event, found: Sequence[Excuse]) -> Iterator[Excuse]:
    """Yield the excuse of an event that costs no ticket by itself, but beside another one does."""
    own = event.excuse_without_ticket() if event.needs_a_ticket else None
    if own and any(
        one.since <= event.ended
        and event.began <= one.until
        and (not one.users or set(one.users) & set(event.users))
        for one in found
    ):
        yield own


def without_ticket(seen: Seen, known: Sequence[Excuse]) -> Tuple[Dict[str, int], List[str]]:
    """Return the seconds without a ticket by reason, and those without a reason."""
    counted: Dict[str, int] = collections.Counter()
    faults = []
    began = seen.samples[0]["at"]
    for name, at, state in _misses(seen):
        reason = next((one.kind for one in known if one.covers(name, at)), "")
        counted[reason or "unexplained"] += 1
        if not reason:
            faults.append("%s at %.0f s: %s" % (name, at - began, state))
    return counted, faults


def _misses(seen: Seen) -> Iterator[Tuple[str, float, str]]:
    """Yield each look at which a user had no valid ticket, by the observer or by klist."""
    for sample in seen.samples:
        for name, state in sample["users"].items():
            if isinstance(state, str):
                yield name, sample["at"], state
    for at, took, (name, code) in seen.controls:
        if code:
            yield name, at + took, "klist -s exits with %d" % code


def slow_pages(seen: Seen, events: Sequence[Event]) -> List[str]:
    """Return the pages of the hub that failed or hung, while nothing stopped them."""
    began = seen.samples[0]["at"]
    stalls = [(at, at + took) for at, took, _ in seen.controls if took > _STALL / 2]
    return [
        "%.0f s: %s after %.1f s" % (at - began, result, took)
        for at, took, result in seen.pages
        if (took > _HANG or result != 200)
        and not is_stopped(at, at + took, events)
        and not any(since <= at + took and at <= until for since, until in stalls)
    ]


def is_stopped(since: float, until: float, events: Sequence[Event], *users: str) -> bool:
    """Return whether an event stopped pages, of the hub or of one of these users' servers."""
    return any(
        event.stops_pages
        and event.began - 1 <= until
        and since <= event.ended + ONE_RETRY
        and (not event.users or set(users) & set(event.users))
        for event in events
    )


def failed_visits(gateway: Gateway, events: Sequence[Event]) -> List[str]:
    """Return the saves that failed while nothing stopped the user's server."""
    return [
        "%s: %s" % (name, visit.error)
        for name, visits in gateway.visits.items()
        for visit in visits.seen
        if visit.error and not is_stopped(visit.at, visit.at + visit.took, events, name)
    ]


def saves(gateway: Gateway, kind: str) -> List[float]:
    """Return the seconds of all saves of the users of a kind."""
    return [
        visit.took
        for name, visits in gateway.visits.items()
        for visit in visits.seen
        if not visit.error and name.startswith(kind)
    ]


def slower_saves(patched: List[float], plain: List[float]) -> List[str]:
    """Return the medians of saves on patched servers and on one that is not, if it is faster.

    The saves are of the same minutes; by much more than such medians differ without a reason.
    """
    medians = tuple(statistics.median(values) for values in (patched, plain))
    return ["%.3f s, unpatched %.3f s" % medians] if medians[0] > medians[1] * 1.5 + 0.05 else []


def stale_files(seen: Seen) -> List[str]:
    """Return the temporary files that were there for several lives."""
    first: Dict[str, float] = {}
    stale = set()
    for sample in seen.samples:
        if "temporary" in sample:
            first = {path: first.get(path, sample["at"]) for path in sample["temporary"]}
            stale |= {path for path, at in first.items() if sample["at"] - at > _STALE}
    return sorted(stale)


class Growth(NamedTuple):
    """The medians of a kind of process in the first and in the last quarter of the week."""

    what: str
    first: List[float]
    last: List[float]

    def is_leak(self) -> bool:
        """Return whether RSS (KiB), descriptors or threads have grown."""
        rss, descriptors, threads = zip(self.first, self.last)
        return (
            rss[1] > rss[0] * 1.25 + 10240
            or descriptors[1] > descriptors[0] + 10
            or threads[1] > threads[0] + 5
        )


def growth(seen: Seen) -> List[Growth]:
    """Return how processes grew, by kind."""
    looks = [sample["processes"] for sample in seen.samples if "processes" in sample]
    quarter = max(1, len(looks) // 4)
    found = []
    for kind in sorted({name.rpartition(" ")[0] for look in looks for name in look}):
        parts = [_median(part, kind) for part in (looks[:quarter], looks[-quarter:])]
        if all(parts):
            found.append(Growth(kind, *parts))
    return found


def _median(looks: Sequence[Dict[str, List[int]]], kind: str) -> List[float]:
    values = [row for look in looks for name, row in look.items() if name.startswith(kind + " ")]
    return [float(statistics.median(column)) for column in zip(*values)]


def percentile(values: Iterable[float], part: float) -> float:
    """Return a percentile of the values; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def _figure(what: str, values: Iterable[float]) -> List[str]:
    known = list(values)
    figures = tuple(percentile(known, part) for part in (0.5, 0.99, 1))
    return ["%s: p50 %.3f s, p99 %.3f s, longest %.1f s" % ((what,) + figures)]


def report(gateway: Gateway, events: Sequence[Event], seen: Seen, counted: Dict[str, int]) -> str:
    """Return the figures of the week, for a person."""
    kinds = collections.Counter(event.kind for event in events)
    looks = sum(len(sample["users"]) for sample in seen.samples)
    lines = ["| event | times | seconds without a ticket |", "|---|---|---|"]
    for kind in sorted(set(kinds) | set(counted)):
        lines.append("| %s | %d | %d |" % (kind, kinds.get(kind, 0), counted.get(kind, 0)))
    lines.append("%d looks at tickets of %d users" % (looks, len(gateway.users)))
    lines += _figure(
        "a page of the hub", [took for _, took, result in seen.pages if result == 200]
    )
    lines += _figure("the control, a program that starts", [took for _, took, _ in seen.controls])
    lines += _figure("a save", saves(gateway, "real-"))
    lines += _figure("a save, unpatched", saves(gateway, "plain-"))
    asked = [sample["asked"] for sample in seen.samples if "asked" in sample]
    lives = len(gateway.users) * (seen.samples[-1]["at"] - seen.samples[0]["at"]) / LIFE
    lines.append(
        "requests at the KDC: %.1f for each user and life" % ((asked[-1] - asked[0]) / lives)
    )
    for one in growth(seen):
        lines.append("%s: RSS KiB, descriptors, threads: %s, last %s" % one)
    return "\n".join(lines)
