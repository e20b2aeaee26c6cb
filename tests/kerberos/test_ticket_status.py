"""Records of renewers are read with suspicion, and the state of a ticket is assessed."""

import json
import os
import subprocess
import time

import pytest

from jhpatch.deployed.kerberos.errors import clock
from jhpatch.kerberos import ticket_status
from jhpatch.kerberos.ticket_status import Record, assess_ticket
from jhpatch.report.result import OtherTicket

NAME = "alice@EXAMPLE.TEST"
NOW = 1e9


def document(pid, **changes):
    """Return what a renewer writes."""
    now = time.time()
    fields = {"schema": 1, "pid": pid, "principal": NAME, "ccache": "FILE:/c", "keytab": "/k"}
    fields.update(central=False, start=now, end=now + 3600, renew_till=now, next=now + 1800)
    fields.update(error=None, written=now)
    return dict(fields, **changes)


@pytest.fixture
def server():
    """The pid of a process that stands for a server."""
    process = subprocess.Popen(["sleep", "60"])
    yield process.pid
    process.kill()
    process.wait()


@pytest.fixture
def write(tmp_path):
    """Write a record: ``write(pid, error="x")``."""

    def call(pid, **changes):
        path = tmp_path / ("jhpatch-kerberos-%d.json" % pid)
        path.write_text(json.dumps(document(pid, **changes)))
        return path

    return call


def test_a_record_is_read(tmp_path, write, server):
    """Each field has its type; other files of the directory are ignored."""
    path = write(server, error="it was refused")
    (tmp_path / "jpserver-1.json").write_text("{}")
    (record,), notes = ticket_status.read_records(str(tmp_path), os.geteuid())
    assert notes == () and record._asdict() == {
        name: value for name, value in json.loads(path.read_text()).items() if name != "schema"
    }


def test_a_renewer_without_a_ticket_has_no_times(tmp_path, write, server):
    """Only the time at which it wrote is required."""
    path = write(server)
    fields = json.loads(path.read_text())
    for name in ("start", "end", "renew_till", "next"):
        del fields[name]
    path.write_text(json.dumps(fields))
    (record,), notes = ticket_status.read_records(str(tmp_path), os.geteuid())
    assert (record.start, record.end, record.renew_till, record.next, notes) == (*[None] * 4, ())


@pytest.mark.parametrize(
    "changes, note",
    [
        ({"schema": 2}, "not a record of a renewal thread (the schema is 2, not 1)"),
        ({"pid": 1}, "not a record of a renewal thread (its pid differs from that in its name)"),
        ({"central": 0}, "not a record of a renewal thread (central is not a boolean)"),
        ({"end": float("inf")}, "not a record of a renewal thread (a time is invalid)"),
        ({"written": 1.0}, "its server has ended"),
    ],
)
def test_a_record_that_is_wrong_is_noted(tmp_path, write, server, changes, note):
    """It is ignored, and the note says which file and why."""
    path = write(server)
    path.write_text(json.dumps(dict(document(server), **changes)))
    records, notes = ticket_status.read_records(str(tmp_path), os.geteuid())
    assert (records, notes) == ((), ("ignored %s: %s" % (path, note),))


def test_a_record_of_another_user_is_noted(tmp_path, write, server):
    """The file must be the user's own."""
    path = write(server)
    records, notes = ticket_status.read_records(str(tmp_path), os.geteuid() + 1)
    assert records == () and notes == ("ignored %s: it belongs to uid %d" % (path, os.geteuid()),)


def test_a_user_without_servers(tmp_path):
    """No directory, no records."""
    assert ticket_status.read_records(str(tmp_path / "missing"), os.geteuid()) == ((), ())


@pytest.mark.parametrize(
    "left, planned, error, state",
    [
        (3601, None, None, "valid"),
        (3599, None, None, "valid"),
        (299, None, None, "expiring"),
        (299, 100, None, "valid"),
        (299, 400, None, "expiring"),
        (299, -1000, None, "expiring"),
        (299, 100, "it was refused", "expiring"),
        (0, 100, None, "expired"),
    ],
)
def test_when_a_ticket_expires(left, planned, error, state):
    """In its last five minutes it is expiring, unless a refresh is planned before its end."""
    planned = planned and NOW + planned
    record = Record(1, NAME, "FILE:/c", "", False, None, None, None, planned, error, NOW)
    ticket = (NAME, NOW + left - 36000, NOW + left, 0)
    assert ticket_status.assess_ticket(record, "FILE:/c", ticket, NOW).state == state


@pytest.mark.parametrize("left, state", [(61, "valid"), (59, "expiring")])
def test_a_short_life_expires_in_its_last_tenth(left, state):
    """A ticket of ten minutes is expiring in its last one."""
    ticket = (NAME, NOW + left - 600, NOW + left, 0)
    assert ticket_status.assess_ticket(None, "FILE:/c", ticket, NOW).state == state


def test_an_absent_ticket_has_a_reason():
    """The record's error comes before the reason of the cache."""
    report = ticket_status.assess_ticket(None, "MEMORY:x", None, NOW, "not supported")
    assert (report.state, report.error, report.principal) == ("absent", "not supported", None)
    record = Record(1, NAME, "FILE:/c", "", False, None, None, None, None, "refused", NOW)
    report = ticket_status.assess_ticket(record, "FILE:/c", None, NOW, "not supported")
    assert (report.error, report.principal, report.start) == ("refused", NAME, None)


OTHER = OtherTicket("FILE:/tmp/krb5cc_7_x", NAME, "2001-09-09T02:46:40Z")
UNSEEN = "no server reports that it renews the ticket"
MAY = ", but the hub may do so; to renew it now, run kinit -R"
SERVER = Record(1, NAME, "FILE:/c", "", False, None, None, None, None, None, NOW)


@pytest.mark.parametrize(
    "record, renew_till, has_keytab, words",
    [
        (None, 0, False, "expires at %s; no keytab: run kinit again before then"),
        (None, 0, True, "expires at %s; " + UNSEEN + ": run kinit again before then"),
        (None, 9e9, False, "expires at %s; " + UNSEEN + MAY),
        (None, 9e9, True, "expires at %s; " + UNSEEN + MAY),
        (SERVER, 0, False, "expires at %s; no keytab: run kinit again before then"),
        (SERVER, 0, True, None),
        (SERVER._replace(central=True), 0, False, None),
    ],
)
def test_a_ticket_that_nothing_renews(record, renew_till, has_keytab, words):
    """Its end is an absolute time, and what to do before it."""
    ticket = (NAME, NOW, NOW + 3600, renew_till)
    report = assess_ticket(record, "FILE:/c", ticket, NOW, has_keytab=has_keytab)
    assert report.advice == (words and words % clock(NOW + 3600))


def test_a_renewable_ticket_without_a_keytab():
    """A server renews it until it is not renewable any longer."""
    ticket = (NAME, NOW, NOW + 3600, NOW + 9000)
    report = assess_ticket(SERVER, "FILE:/c", ticket, NOW, has_keytab=False)
    assert report.advice.startswith("renewable until %s; no keytab" % clock(NOW + 9000))


def test_a_ticket_of_another_principal():
    """A kinit by hand: the refresh that is planned would refuse it, and what to do is known."""
    record = SERVER._replace(next=NOW + 10, start=NOW - 100)
    for name, is_refreshed in ((SERVER.principal, True), ("bob@EXAMPLE.TEST", False)):
        report = assess_ticket(record, "FILE:/c d", (name, NOW, NOW + 3600, 0), NOW)
        assert (report.state, report.next is not None) == ("valid", is_refreshed)
        assert (report.advice is None) == is_refreshed
    assert SERVER.principal in report.advice and "kdestroy -c 'FILE:/c d'" in report.advice


def test_a_refresh_that_will_fail_does_not_count():
    """Without a keytab, a ticket by password is expiring although its renewer has a plan."""
    record = SERVER._replace(next=NOW + 10)
    ticket = (NAME, NOW - 3500, NOW + 100, 0)
    states = [
        assess_ticket(record, "FILE:/c", ticket, NOW, has_keytab=has_keytab).state
        for has_keytab in (True, False)
    ]
    assert states == ["valid", "expiring"]


@pytest.mark.parametrize(
    "record, has_keytab, others, words",
    [
        (None, True, (), "log in to JupyterHub, or run kinit"),
        (None, False, (), "log in to JupyterHub, or run kinit"),
        (SERVER, False, (), "no keytab: run kinit"),
        (SERVER, True, (), None),
        (SERVER, True, (OTHER,), "to use the other cache, set KRB5CCNAME=FILE:/tmp/krb5cc_7_x"),
    ],
)
def test_what_to_do_without_a_ticket(record, has_keytab, others, words):
    """Another cache comes first; a server with a keytab obtains the ticket itself."""
    report = assess_ticket(record, "FILE:/c", None, NOW, "it is empty", has_keytab, others)
    assert (report.advice, report.others) == (words, others)


@pytest.mark.parametrize("renew_till, is_shown", [(0, False), (NOW, False), (NOW + 9000, True)])
def test_a_ticket_that_is_not_renewable(renew_till, is_shown):
    """MIT's KDC gives it no renew_till, or its start."""
    ticket = (NAME, NOW, NOW + 3600, renew_till)
    report = ticket_status.assess_ticket(None, "FILE:/c", ticket, NOW)
    assert (report.renew_till is not None) == is_shown


@pytest.mark.parametrize(
    "environ, directory",
    [
        ({}, "/h/.local/share/jupyter/runtime"),
        ({"XDG_DATA_HOME": "/x"}, "/x/jupyter/runtime"),
        ({"XDG_DATA_HOME": "/x", "JUPYTER_DATA_DIR": "/d"}, "/d/runtime"),
        ({"JUPYTER_DATA_DIR": "/d", "JUPYTER_RUNTIME_DIR": "/r"}, "/r"),
    ],
)
def test_where_servers_write(environ, directory):
    """The directory is jupyter_core's."""
    assert ticket_status.runtime_directory(environ, "/h") == directory
