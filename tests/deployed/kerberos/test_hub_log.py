"""The hub's log: a line for each change, printable, and a memory that does not grow."""

import pytest

from jhpatch.deployed.kerberos import hub_log
from jhpatch.deployed.kerberos.account import Account
from jhpatch.deployed.kerberos.ccache import Ticket
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.hub_log import HubLog, line, traced
from jhpatch.deployed.kerberos.kinit import NotRenewed, Outcome
from jhpatch.deployed.kerberos.settings import TicketSpec

EVIL = "x\n[I 2026-11-28 14:50:00 JupyterHub base:967] User logged in: admin\x1b[2J\u2028\u202e"
TICKET = Ticket("alice@R", 1000000, 1036000, 1600000)
SPEC = TicketSpec("alice", "/keytabs/alice", "FILE:/tmp/cc")
ALICE = Account("alice", 1001, 1001, "/home/alice")


@pytest.fixture
def hub(log):
    """The log of a hub that warns."""
    return HubLog(log, "warn")


def test_a_problem_is_one_line_until_it_changes(hub, log):
    """However often it happens; a ticket in between makes it news again."""
    for _ in range(3):
        hub.failed("alice", ALICE, SPEC, "login", Problem("no keytab"))
    hub.failed("bob", None, None, "login", Problem("no keytab"))
    hub.failed("alice", ALICE, SPEC, "login", Problem("no KDC"))
    hub.failed("alice", ALICE, SPEC, "login", NotRenewed("no KDC", TICKET))
    assert len(log.lines) == 4
    assert log.lines[0] == (
        "WARNING No Kerberos ticket for alice (uid 1001) from keytab /keytabs/alice at login: "
        "no keytab"
    )
    assert "is not renewed for alice (uid 1001) (valid until 1970" in log.lines[3]
    hub.obtained(ALICE, SPEC, Outcome(TICKET), "login", None)
    hub.failed("alice", ALICE, SPEC, "login", NotRenewed("no KDC", TICKET))
    assert len(log.lines) == 5


def test_a_masked_keytab_is_one_warning(hub, log):
    """kinit -R goes on for days: that is said once, and again if the reason changes."""
    masked = Outcome(TICKET, True, "keytab revoked")
    for cause in ("login", "renewal", "login"):
        hub.obtained(ALICE, SPEC, masked, cause, None)
    warnings = [text for text in log.lines if text.startswith("WARNING")]
    assert len(warnings) == 1 and "keytab revoked" in warnings[0]
    assert all("from kinit -R into" in text for text in log.lines if text not in warnings)
    hub.obtained(ALICE, SPEC, Outcome(TICKET, True), "login", None)
    assert "from keytab /keytabs/alice into" in log.lines[-1]
    hub.obtained(ALICE, SPEC, masked, "login", None)
    assert sum(text.startswith("WARNING") for text in log.lines) == 2


def test_a_canonical_principal_is_named_with_the_one_that_was_asked_for(hub, log):
    """One line has both."""
    hub.obtained(ALICE, SPEC, Outcome(TICKET._replace(asked="al"), True), "login", "10.0.0.1")
    (text,) = log.lines
    assert "alice@R (requested as al)" in text and text.endswith("at login, requested by 10.0.0.1")


def test_ignore_is_quiet_about_missing_tickets(log):
    """Not about new ones, nor about an error of a callable."""
    hub = HubLog(log, "ignore")
    hub.failed("alice", ALICE, SPEC, "login", Problem("x"))
    hub.late("alice", "login", "x")
    hub.obtained(ALICE, SPEC, Outcome(TICKET, True, "masked"), "login", None)
    assert len(log.lines) == 1
    hub.error("alice", "login", KeyError("alice"))
    assert len(log.lines) == 2


@pytest.mark.parametrize("text", [EVIL, "A" * 300000, "\x00%s%d%", "\ud800"])
def test_every_line_is_printable_and_short(hub, log, text):
    """Whatever user name, principal, address, path or exception comes in."""
    account, spec = ALICE._replace(name=text), TicketSpec(text, text, text)
    ticket = TICKET._replace(principal=text, asked=text)
    hub.failed(text, account, spec, text, Problem(text))
    hub.failed(text, account, spec, text, NotRenewed(text, ticket))
    hub.obtained(account, spec, Outcome(ticket, True, text), text, text)
    hub.late(text, text, text)
    hub.error(text, text, RuntimeError(text))
    hub.once(text, "warning", "%s", text)
    assert len(log.lines) == 7
    for one in log.lines:
        assert one.isprintable() and len(one) <= 1020, one


def test_a_line_keeps_numbers_and_is_cut():
    """A value that is no text is formatted as it is."""
    assert line("%s %d %g", "a\nb", 7, 0.5) == "a\\nb 7 0.5"
    assert len(line("%s%s%s%s", *["x" * 400] * 4)) == 1000


def test_an_error_names_its_places():
    """The administrator finds the line of the callable; innermost first."""
    try:
        (lambda name: {}[name])("daemon")
    except KeyError as error:
        text = traced(error)
    assert text.startswith("KeyError: 'daemon' (test_hub_log.py:") and " < " in text


def test_three_places_of_an_error_are_named():
    """More would hide the end of the line: an error of deep code is cut."""

    def fail(depth):
        return fail(depth - 1) if depth else {}["x"]

    try:
        fail(9)
    except KeyError as error:
        assert traced(error).count(" < ") == 2


def test_what_is_remembered_is_bounded(hub, log, monkeypatch):
    """A year of many user names; the users of whom something was logged last are known."""
    monkeypatch.setattr(hub_log, "_REMEMBERED", 100)
    for number in range(1000):
        hub.failed("user%d" % number, None, None, "login", Problem("x"))
    assert len(hub._last) == 100
    hub.failed("user999", None, None, "login", Problem("x"))
    assert len(log.lines) == 1000


def test_a_time_that_is_none_is_no_error():
    """A crafted ticket ends beyond the years that strftime knows."""
    assert hub_log.clock(4e18) == "4e+18 s"
