"""When a ticket counts, when it is renewed, and the pauses between attempts."""

import pytest

from jhpatch.deployed.kerberos import schedule
from jhpatch.deployed.kerberos.ccache import Ticket
from tests.deployed.tickets import Later

NOW = 1000000.0


@pytest.fixture(autouse=True)
def now(monkeypatch):
    """A time of day that stands still."""
    monkeypatch.setattr(schedule, "time", Later(NOW))


def ticket(start=0, end=3600, renew_till=7200):
    """A ticket with times from now on."""
    return Ticket("a@R", NOW + start, NOW + end, NOW + renew_till)


@pytest.mark.parametrize(
    "one, valid, renewable",
    [
        (ticket(), True, True),
        (None, False, False),
        (ticket(end=schedule.MARGIN), False, True),
        (ticket(end=schedule.MARGIN + 1), True, True),
        (ticket(-3600, 0), False, False),
        (ticket(start=299), True, True),
        (ticket(start=301), False, True),
        (ticket(renew_till=3600), True, False),
        (ticket(renew_till=-NOW), True, False),
    ],
)
def test_whether_a_ticket_counts(one, valid, renewable):
    """Some seconds before its end it does not; a start within the clock's skew does."""
    assert schedule.is_valid(one) is valid
    assert schedule.is_renewable(one) is renewable


def test_a_ticket_is_due_by_its_own_life():
    """From its start, not from the first authentication."""
    assert schedule.due(ticket(-100, 300), 0.5) == NOW + 100


def test_tickets_obtained_together_part_company():
    """Within a tenth of the life after the part, and never near its end."""
    for part in (0.05, 0.5, 0.95):
        found = [schedule.spread(ticket(0, 1000), part) - NOW for _ in range(200)]
        assert min(found) >= 1000 * part
        assert max(found) <= 1000 * (part + min(0.1, (1 - part) / 3)) + 0.001
        assert len(set(found)) > 100


def test_a_late_look_spreads_over_what_is_left():
    """None is renewed at once while others have time; past the end, all are."""
    found = [schedule.spread(ticket(-550, 450), 0.5) - NOW for _ in range(200)]
    assert 0 <= min(found) < 10 and 40 < max(found) <= 50.001
    assert schedule.spread(ticket(-700, 300), 0.5) < NOW


def test_another_process_comes_later():
    """The hub looks after what a server has not renewed by two thirds of the life."""
    for part in (0.05, 0.5, 0.8, 0.95):
        assert part < schedule.later(part) < 1
        assert schedule.latest(part) <= schedule.later(part)
    assert schedule.later(0.5) == pytest.approx(2 / 3)


def test_looks_at_many_users_are_rarer():
    """Few users: two looks a second; thousands: fewer, and one a minute at the least."""
    assert [schedule.rest(users) for users in (0, 500, 5000, 100000)] == [0.5, 0.5, 5, 60]


def test_pauses_double_up_to_ten_minutes():
    """From ``retry`` on; without a ticket nothing shortens them."""
    pauses, pause = [], 0.0
    for _ in range(7):
        pause = schedule.pause_after(pause, 30.0, 0.0)
        pauses.append(pause)
    assert pauses == [30, 60, 120, 240, 480, 600, 600]
    assert schedule.pause_after(600, 900.0, 0.0) == schedule.BACKOFF_CAP


def test_a_pause_is_at_most_half_of_what_is_left():
    """A KDC that is back before the ticket expires is found before that."""
    assert schedule.pause_after(300, 30.0, NOW + 100) == 50
    assert schedule.pause_after(300, 30.0, NOW + 0.5) == 1
    assert schedule.pause_after(300, 30.0, NOW) == 600
    assert schedule.in_time(7, NOW + 1000) == 7
