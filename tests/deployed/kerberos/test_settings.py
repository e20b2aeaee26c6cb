"""The settings as values: ranges, templates, JHPATCH_KERBEROS in and out."""

import json
import os
import random

import pytest

from jhpatch.deployed.kerberos import settings as rules
from jhpatch.deployed.kerberos.account import Account
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.settings import Settings, TicketSpec, check, spec_of
from testing.users import ROOT_ONLY
from tests.deployed.kerberos.values import WRONG
from tests.deployed.tickets import NOBODY


@pytest.mark.parametrize("name, value", WRONG)
def test_a_wrong_value_names_its_setting(name, value):
    """A Problem, of any type and content; never another exception."""
    with pytest.raises(Problem) as problem:
        check(name, value)
    assert "KerberosTicket.%s" % name in str(problem.value)


RIGHT = [
    ("timeout", 0.1),
    ("timeout", 3600),
    ("open_wait", 0),
    ("refresh_at", 0.95),
    ("policy", "require"),
    ("lifetime", ""),
    ("lifetime", "10h30m"),
    ("lifetime", "36000"),
    ("lifetime", "10:00:00"),
    ("renewable", ""),
    ("renewable", "7d"),
    ("principal", "{username}/{host}@{realm}"),
    ("principal", "{{x}}"),
    ("principal", str.upper),
    ("keytab", ""),
    ("keytab", "FILE:/etc/keytabs/{username}"),
    ("keytab", "{home}/{uid}.keytab"),
    ("keytab", "/etc/{username:.1}/{username}"),
    ("ccache", ""),
    ("ccache", "/run/jhpatch/{uid}/cc"),
    ("ccache", "DIR:/tmp/x_{uid}"),
    ("min_uid", 0),
    ("min_uid", -1),
    ("realm", "R"),
]


@pytest.mark.parametrize("name, value", RIGHT)
def test_a_right_value_is_returned(name, value):
    """As it is; a whole number of seconds as seconds."""
    assert check(name, value) == value
    assert type(check(name, value)) is (float if name in rules._RANGES else type(value))


def test_each_default_is_right_and_has_a_sentence():
    """The table is complete."""
    for name, value in Settings()._asdict().items():
        assert check(name, value) == value
    assert set(rules.HELP) == set(Settings._fields)


ODD = [None, True, 0, -1, 1.5, "", "x", b"x", [], {}, (), object, len, float("nan"), 10**400]
ODD += ["{", "}", "{}", "{0}", "{username!z}", "{uid:%}", "\0", "\n", "\ud800", "票", "/" * 5000]


@pytest.mark.parametrize("name", Settings._fields)
def test_no_value_raises_anything_but_a_problem(name):
    """doctor passes the literals of a configuration; a thousand random ones, and these."""
    generator = random.Random(name)
    letters = "{}[]!:.0aA/\n\0 %-_FILEDIRusernamehost"
    texts = ["".join(generator.choices(letters, k=generator.randrange(12))) for _ in range(1000)]
    for value in ODD + texts:
        try:
            assert check(name, value) == value
        except Problem as problem:
            assert str(problem).isprintable() and len(str(problem)) <= 500


def never(path, account):
    """Nobody can read a file of root's."""
    return False


# Templates.


@ROOT_ONLY
def test_nothing_in_a_home_is_inspected(monkeypatch):
    """A home that hangs (FUSE, a file server) would keep a thread of the hub for ever."""
    account = Account("nobody", 65534, 65534, "/home/nobody/")
    monkeypatch.setattr(rules.os, "lstat", lambda path: pytest.fail(path))
    assert not rules.is_root_only("/home/nobody/nobody.keytab", account)
    assert not rules.is_root_only("FILE:/home/nobody/nobody.keytab", account)


@ROOT_ONLY
def test_the_root_directory_is_inspected_too(monkeypatch):
    """A user who can write it, in a container, can replace every directory below."""
    account, lstat = Account("nobody", 65534, 65534, "/home/nobody"), os.lstat
    assert rules.is_root_only("/etc/passwd", account)

    def writable_root(path):
        status = lstat(path)
        return os.stat_result((status.st_mode | 0o002, *status[1:])) if path == "/" else status

    monkeypatch.setattr(rules.os, "lstat", writable_root)
    assert not rules.is_root_only("/etc/passwd", account)


def test_templates_and_callables():
    """A callable gets the user name; the others are filled in."""
    account = Account("nobody", 65534, 65534, "/home/nobody")
    settings = Settings(
        principal=lambda name: name + "/host",
        keytab="{home}/{username}-{uid}.keytab",
        ccache="/tmp/{realm}_{host}",
        realm="R",
    )
    spec = spec_of(settings, account, never)
    ccache = "FILE:/tmp/R_" + os.uname().nodename
    assert spec == ("nobody/host", "/home/nobody/nobody-65534.keytab", ccache, False)
    assert spec_of(settings, account, never, {"nobody": "mapped@R"}).principal == "mapped@R"


@pytest.mark.parametrize("bad", [None, "a\nb", "", "a\0b", 7, b"x"])
def test_what_a_callable_gives_is_checked(bad):
    """No text, or text that no argument can hold."""
    with pytest.raises(Problem) as problem:
        spec_of(Settings(principal=lambda name: bad), NOBODY, never)
    assert "KerberosTicket.principal" in str(problem.value) and "nobody" in str(problem.value)


def test_what_a_callable_raises_is_its_users_trouble():
    """It passes through: the caller knows whose it is."""
    with pytest.raises(KeyError):
        spec_of(Settings(principal={}.__getitem__), NOBODY, never)


@pytest.mark.parametrize(
    "settings, expected",
    [
        (Settings(), False),
        (Settings(principal="{username}@{realm}"), True),
        (Settings(principal="{username}@{realm}", realm="R"), False),
        (Settings(keytab="/etc/{realm!s}/k"), True),
        (Settings(principal=lambda name: "{realm}"), False),
    ],
)
def test_whether_a_realm_has_to_be_asked_for(settings, expected):
    """Only if a template has it, and no setting gives it."""
    assert rules.needs_realm(settings) is expected


@pytest.mark.parametrize("readable, expected", [(True, False), (False, True)])
def test_a_keytab_that_only_root_can_read_is_central(monkeypatch, readable, expected):
    """Whether the user can read it is asked only of root's own files."""
    asked = []

    def can_read(path, account):
        asked.append((path, account))
        return readable

    settings = Settings(keytab="/etc/keytabs/{username}")
    monkeypatch.setattr(rules, "is_root_only", lambda path, account: False)
    assert not spec_of(settings, NOBODY, can_read).central and asked == []
    monkeypatch.setattr(rules, "is_root_only", lambda path, account: True)
    assert spec_of(settings, NOBODY, can_read).central is expected
    assert asked == [("/etc/keytabs/nobody", NOBODY)]


# JHPATCH_KERBEROS.


def test_what_is_sent_to_a_server_is_read_there():
    """Resolved values, and the settings that a server needs."""
    settings = Settings(principal=str.upper, timeout=7.0, retry=1.0, lifetime="1h", kinit="/k")
    for spec in (
        TicketSpec("alice@R", "/k", "FILE:/tmp/x", True),
        TicketSpec("票/x", "/home/\udcff/k", ""),
    ):
        text = rules.dump(settings, spec)
        loaded, found = rules.load(text)
        assert found == spec and json.loads(text)["schema"] == rules.SCHEMA
        for name in rules._SENT:
            assert getattr(loaded, name) == getattr(settings, name)
        assert loaded.principal == Settings().principal
    document = json.loads(text)
    del document["central"]
    assert rules.load(json.dumps(document))[1].central is False


def changed(**values):
    """A text with other values."""
    document = json.loads(rules.dump(Settings(), TicketSpec("a", "/k", "")))
    document.update(values)
    return json.dumps(document)


HOSTILE = ["", "{", "[]", "null", "1", '"schema"', "NaN", "{}", '{"schema": 1}', "[" * 100000]
HOSTILE += ['{"schema":' * 50000, "9" * 10000, "\0", "\ud800", '{"schema": 1e999}']
HOSTILE += [changed(schema=value) for value in (0, 2, "1", None, [1], 10**400)]
HOSTILE += [changed(principal=value) for value in (None, 1, ["a"], {}, "a\nb", "a\0b", "\ud800")]
HOSTILE += [changed(central=value) for value in (None, 1, "yes", [])]
HOSTILE += [changed(timeout=value) for value in (None, True, "5", -1, 10**400, [], float("nan"))]
HOSTILE += [changed(kinit=value) for value in (None, 1, ["/bin/sh"], "a\0b")]
HOSTILE += [changed(lifetime=value) for value in (None, 1, "x", "1d;")]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_json_is_a_problem(number):
    """Wrong types, huge numbers, nested to no end: one line that names the variable."""
    with pytest.raises(Problem) as problem:
        rules.load(HOSTILE[number])
    assert str(problem.value).startswith("JHPATCH_KERBEROS cannot be read: ")


def test_more_than_is_known_is_no_problem():
    """A newer hub may send more."""
    assert rules.load(changed(later=[1, 2]))[1].principal == "a"
