"""The events of a week at random from a seed, and the playing of them.

Events of the host come one after the other, with a pause in which all must be well again. Acts
of users come at any time, beside them and beside each other, one at a time for each user.
"""

import random
import threading
import time
from typing import Dict, Iterator, List, NamedTuple, Sequence, Tuple, Type

from integration.soak import host_events, user_events
from integration.soak.events import Event
from integration.soak.gateway import LIFE, ONE_RETRY, Gateway

HOST: Tuple[Tuple[Type[Event], float], ...] = (
    (host_events.KdcDown, LIFE / 4),
    (host_events.KdcDown, LIFE / 2),
    (host_events.KdcDownForDays, 3 * LIFE),
    (host_events.KdcSilent, LIFE / 2),
    (host_events.KdcSlow, LIFE),
    (host_events.HubRestart, 0),
    (host_events.HubKilled, 0),
    (host_events.HubUpgrade, 0),
    (host_events.Suspend, 2 * LIFE),
    (host_events.SlowDirectory, LIFE),
    (host_events.FullTmp, 15),
    (host_events.LogRotation, 0),
    (host_events.FrontReload, 0),
    (host_events.ClockStep, 1.5 * LIFE),
)
"""The kinds of events, and how long each lasts."""
USER: Tuple[Tuple[Type[user_events.UserEvent], float], ...] = (
    (user_events.NewKeysAtOnce, 0),
    (user_events.NewKeysLater, LIFE / 2),
    (user_events.ServerStopped, 5),
    (user_events.ServerEnded, 5),
    (user_events.ServerKilled, 5),
    (user_events.Kdestroy, 0),
    (user_events.Kinit, 0),
    (user_events.KinitAsAnother, 0),
    (user_events.FullHome, LIFE / 2),
    (user_events.HomeAway, LIFE),
    (user_events.HeldFifo, LIFE / 2),
    (user_events.LoginFlood, 0),
)
_QUIET = ONE_RETRY
"""Seconds after an event of the host in which no other one begins."""
_RECOVERY = 2 * LIFE
"""Seconds after an act in which the user does nothing else, on average of a quiet machine."""


class Planned(NamedTuple):
    """An event, and the second of the week at which it begins, if the one before it is over."""

    second: float
    event: Event

    def __str__(self) -> str:
        return "%6.1f s  %s" % (self.second, self.event)


def plan(seed: int, days: int, users: Sequence[str], only: str = "") -> List[Planned]:
    """Return the events of so many days, in order."""
    chosen = set(only.split(",")) if only else set()
    source = random.Random(seed)
    end = days * LIFE
    planned = list(_of_the_host(source, end, users, chosen))
    planned += _of_users(source, end, users, chosen)
    return sorted(planned, key=lambda one: one.second)


def _of_the_host(
    source: random.Random, end: float, users: Sequence[str], chosen: "set[str]"
) -> Iterator[Planned]:
    kinds = [
        (kind, seconds)
        for kind, seconds in HOST
        if kind.days * LIFE <= end and (not chosen or kind.__name__ in chosen)
    ]
    second = 5.0
    for kind, seconds in _shuffled(source, kinds):
        if second + seconds + _QUIET > end:
            return
        names = [source.choice(users)] if kind is host_events.FullTmp else []
        yield Planned(second, kind(*names, seconds=seconds))
        second += seconds + _QUIET + source.uniform(0, LIFE / 4)


def _of_users(
    source: random.Random, end: float, users: Sequence[str], chosen: "set[str]"
) -> Iterator[Planned]:
    kinds = [one for one in USER if not chosen or one[0].__name__ in chosen]
    free: Dict[str, float] = dict.fromkeys(users, 0.0)
    second = 2.0
    for kind, seconds in _shuffled(source, kinds):
        second += source.expovariate(len(users) / _RECOVERY)
        if second + seconds + LIFE / 2 > end:
            return
        names = [n for n in users if free[n] <= second and n.partition("-")[0] in kind.kinds]
        if names:
            name = source.choice(names)
            free[name] = second + seconds + _RECOVERY
            yield Planned(second, kind(name, seconds=seconds))


def _shuffled(source: random.Random, kinds: List) -> Iterator[Tuple]:  # type: ignore[type-arg]
    """Yield each kind once, in a random order, then again in another."""
    while kinds:
        yield from source.sample(kinds, len(kinds))


def play(gateway: Gateway, planned: Sequence[Planned]) -> None:
    """Let all events happen; return when the last one is over."""
    began = time.monotonic()
    threads = [threading.Thread(target=_play_host, args=(gateway, planned, began), daemon=True)]
    for one in planned:
        if isinstance(one.event, user_events.UserEvent):
            threads.append(
                threading.Thread(target=_play_act, args=(gateway, one, began), daemon=True)
            )
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _play_host(gateway: Gateway, planned: Sequence[Planned], began: float) -> None:
    """One after the other, with the pauses that were planned, however long each takes."""
    last, ended = 0.0, began
    for one in planned:
        if not isinstance(one.event, user_events.UserEvent):
            pause = one.second - last
            _sleep_until(ended + pause)
            _tell(began, one.event, gateway)
            last, ended = one.second + one.event.seconds, time.monotonic()


def _play_act(gateway: Gateway, one: Planned, began: float) -> None:
    _sleep_until(began + one.second)
    with gateway.user_locks[one.event.users[0]]:
        _tell(began, one.event, gateway)


def _tell(began: float, event: Event, gateway: Gateway) -> None:
    event.play(gateway)
    took = event.began - began, event.ended - began, event, event.error
    print("%6.1f to %6.1f s  %s %s" % took, flush=True)


def _sleep_until(at: float) -> None:
    time.sleep(max(0.0, at - time.monotonic()))
