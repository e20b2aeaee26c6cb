"""Each rule of the verdict finds what it is for, and takes a known reason for one."""

import types
from typing import Any, List

from integration.soak import log_lines, verdict
from integration.soak.events import Event, Excuse
from integration.soak.host_events import HubKilled, HubRestart, KdcDown
from integration.soak.hub_log import Line
from integration.soak.user_events import HomeAway, Kdestroy, NewKeysLater
from integration.soak.verdict import Growth, Seen


def seen(state: object = 30.0, page: object = 200, took: float = 0.1, code: int = 0) -> Seen:
    """One look, at 100 s; the page began at 99 s."""
    sample = {"at": 100.0, "users": {"open-0": state, "api-0": 30.0}}
    return Seen([sample], [[99.0, 0.1, ["open-0", code]]], [[99.0, took, page]])


def event(kind: type, *users: str) -> Event:
    """An event of the seconds 90 to 110."""
    made: Event = kind(*users)
    made.began, made.ended = 90.0, 110.0
    return made


def test_a_second_without_a_ticket_needs_a_reason_of_that_user() -> None:
    """By the observer's own look, or by klist's."""
    for look in (seen("expired"), seen(code=1)):
        own = Excuse("Kdestroy", ("open-0",), 90, 110)
        assert verdict.without_ticket(look, [own]) == ({"Kdestroy": 1}, [])
        others = [own._replace(users=("api-0",)), own._replace(until=95), own._replace(since=105)]
        assert len(verdict.without_ticket(look, others)[1]) == 1
    assert verdict.without_ticket(seen(), []) == ({}, [])


def test_a_keytab_that_is_away_is_a_reason_only_beside_another_one() -> None:
    """Of the same user, at the same time: until then kinit -R renews the ticket."""
    away = event(HomeAway, "open-0")
    for other in (event(Kdestroy, "api-0"), event(HubRestart)):
        assert "HomeAway" not in kinds_of([away, other])
    for other in (event(Kdestroy, "open-0"), event(KdcDown)):
        assert "HomeAway" in kinds_of([away, other])


def kinds_of(events: List[Event]) -> List[str]:
    """Return the kinds of the excuses of events, on a gateway of two users."""
    gateway: Any = types.SimpleNamespace(users=["open-0", "api-0"], visits={})
    return [one.kind for one in verdict.excuses(gateway, events, seen())]


def test_a_page_that_fails_or_hangs_needs_an_event_that_stops_pages() -> None:
    """The KDC's outage is none."""
    for look in (seen(page=503), seen(took=11.0), seen(page="refused")):
        assert len(verdict.slow_pages(look, [event(KdcDown)])) == 1
        assert verdict.slow_pages(look, [event(HubKilled)]) == []
    assert verdict.slow_pages(seen(), []) == []


def test_a_line_needs_its_event_of_its_user() -> None:
    """One that nobody knows is never explained."""
    line = Line(
        100.0,
        "[W JupyterHub hub_log:69] Kerberos: kinit obtained no ticket with keytab /k of open-0, "
        "and kinit -R can renew the existing one only until 1: kinit: x",
    )
    assert log_lines.unexplained([line], [event(NewKeysLater, "open-0")]) == []
    for other in (event(NewKeysLater, "api-0"), event(Kdestroy, "open-0")):
        assert log_lines.unexplained([line], [other]) == [line.text]
    assert log_lines.unexplained([line._replace(at=9000.0)], [event(NewKeysLater, "open-0")])
    for text in ("[I JupyterHub x] Kerberos: a bug", "Traceback (most recent call last):"):
        assert log_lines.unexplained([Line(100.0, text)], [event(HubKilled)]) == [text]


def test_growth_of_memory_descriptors_and_threads_is_a_leak() -> None:
    """Each alone; a little is none."""
    first = [100000.0, 20.0, 5.0]
    assert not Growth("hub", first, [105000.0, 25.0, 7.0]).is_leak()
    for last in ([150000.0, 20.0, 5.0], [100000.0, 40.0, 5.0], [100000.0, 20.0, 15.0]):
        assert Growth("hub", first, last).is_leak()


def test_a_temporary_file_that_stays_is_stale() -> None:
    """One that is there at each look, for lives of a ticket; not one after the other."""
    looks = [{"at": float(at), "temporary": ["/tmp/.jhpatch-cc-1-x"]} for at in (0, 100, 200)]
    assert verdict.stale_files(Seen(looks, [], [])) == ["/tmp/.jhpatch-cc-1-x"]
    looks[1]["temporary"] = []
    assert verdict.stale_files(Seen(looks, [], [])) == []


def test_saves_that_are_slower_than_unpatched_ones_are_found() -> None:
    """By their medians: one that is late is none."""
    assert verdict.slower_saves([0.1, 0.1, 9.0], [0.1, 0.1, 0.1]) == []
    assert verdict.slower_saves([0.3, 0.3, 0.3], [0.1, 0.1, 9.0]) != []
