"""The hub answers while the service waits: for a directory that hangs, for a callable of the
administrator. What upstream's own code does on the event loop is measured beside it.
"""

import concurrent.futures
import os
from typing import Any, Iterator, List, Tuple

import pytest
import requests

from integration.e2e import slow_directory
from integration.e2e.client import Browser
from integration.e2e.hub import CLASSIC, SERVICE, Hub, running
from integration.e2e.pages import Pages
from integration.e2e.patched_stack import is_valid, jhpatch
from integration.e2e.people import PASSWORD, add_person, spawn
from integration.e2e.stacks import ENDS, Stack
from integration.e2e.stub_server import stub
from testing.waiting import until

# Other stacks have no tests here, rather than skipped ones (integration/e2e/test_front_ends.py).
__test__ = os.environ.get("JHPATCH_E2E_INNER", ENDS[0]) in ENDS

HANG = 300  # seconds: no test waits for the end of it
PATIENT = CLASSIC + SERVICE + "c.KerberosTicket.timeout = %d\n" % HANG
DELAY = 1.5  # seconds that a slow directory takes, which other causes of a pause do not


@pytest.fixture(scope="module")
def directory(patched: Stack, scratch: str) -> Iterator[None]:
    """A directory service that tests make slow."""
    folder = scratch + "/slow-directory"
    if slow_directory.missing() and os.environ.get("CI", "") in ("", "0", "false"):
        pytest.skip("no " + slow_directory.missing())
    os.makedirs(folder)
    slow_directory.install(folder)
    yield
    slow_directory.remove(folder)


def answers(hub: Hub) -> None:
    """A page comes. Raises requests.Timeout if the loop stands still."""
    assert requests.get(hub.url + "/hub/login", timeout=300).status_code == 200


# Some modules of a login's usual stack look up groups themselves, as upstream has it.
_UNIX = """auth required pam_unix.so
account required pam_unix.so
session required pam_permit.so
"""


def test_pages_come_while_the_group_database_hangs(
    patched: Stack, scratch: str, kdc: Any, directory: None
) -> None:
    """A login waits for the user's groups; the hub answers others meanwhile."""
    add_person(kdc, "greta")
    with open("/etc/pam.d/jhpatch-unix", "w") as file:
        file.write(_UNIX)
    extra = PATIENT + "c.PAMAuthenticator.service = 'jhpatch-unix'\n"
    with running(patched, scratch + "/groups-hang", extra) as hub:
        slow_directory.hang("initgroups", HANG)
        try:
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                try:
                    login = pool.submit(Browser(hub, "greta").login, PASSWORD, HANG)
                    until(lambda: asked("initgroups", "greta"))
                    for _ in range(3):
                        answers(hub)
                    assert not login.done(), "nothing hung: this is no attack"
                finally:
                    slow_directory.go_on()
                login.result()
        finally:
            slow_directory.go_on()
        assert is_valid("greta"), hub.tail()


def asked(function: str, name: str) -> List[slow_directory.Call]:
    """The questions of this kind about a user."""
    return [one for one in slow_directory.calls() if (one.function, one.name) == (function, name)]


def test_the_groups_of_a_user_are_asked_for_all_at_once(
    patched: Stack, scratch: str, kdc: Any, directory: None
) -> None:
    """A user of 200 groups, each of whose look-ups takes a second, has a ticket in time."""
    add_person(kdc, "gustav")
    with open("/etc/group") as file:
        before = file.read()
    try:
        with open("/etc/group", "a") as file:
            for number in range(200):
                file.write("many-%d:x:%d:gustav\n" % (number, 20000 + number))
        extra = CLASSIC + "c.KerberosTicket.policy = 'require'\n"
        extra += "c.KerberosTicket.timeout = 40.0\n"
        with running(patched, scratch + "/groups-many", extra) as hub:
            slow_directory.hang("getgrnam", 1)
            try:
                Browser(hub, "gustav").login(PASSWORD)
            finally:
                slow_directory.go_on()
            assert is_valid("gustav"), hub.tail()
    finally:
        with open("/etc/group", "w") as file:
            file.write(before)


def test_a_slow_directory_holds_the_loop_no_longer_than_upstream(
    patched: Stack, scratch: str, kdc: Any, directory: None
) -> None:
    """A login and a spawn of a new user while look-ups of users and groups are slow."""
    add_person(kdc, "hilda")
    extra = PATIENT + stub(patched, scratch + "/slow-stub") + "c.Spawner.start_timeout = 300\n"
    jhpatch(patched, "revert")
    try:
        upstream = held(patched, scratch + "/slow-upstream", SERVICE + extra)
    finally:
        jhpatch(patched, "apply")
    ours = held(patched, scratch + "/slow-patched", extra)
    assert ours[1] == upstream[1], "the hub itself asks for groups, with the interpreter's lock"
    assert ours[0] < upstream[0] + DELAY / 2, (ours, upstream)
    assert is_valid("hilda")


def held(stack: Stack, folder: str, extra: str) -> Tuple[float, int]:
    """How long pages waited in all, and how often the hub's process asked for groups."""
    with running(stack, folder, extra) as hub:
        before = len(slow_directory.calls())
        for function in ("getpwnam", "initgroups"):
            slow_directory.hang(function, DELAY)
        try:
            pages = Pages(hub)
            Browser(hub, "hilda").login(PASSWORD, HANG)
            spawn(hub, "hilda")
            pages.stop()
        finally:
            slow_directory.go_on()
        own = [call for call in slow_directory.calls()[before:] if call.pid == hub.pid]
        return pages.waited(DELAY / 2), sum(call.function == "initgroups" for call in own)


_CALLABLE = """
import os, time
def principal(name):
    open(%(folder)r + "-entered", "w").close()
    while not os.path.exists(%(folder)r + "-gate"):
        time.sleep(0.05)
    return name + "/service"
c.KerberosTicket.principal = principal
"""


def test_pages_come_while_a_callable_of_the_administrators_waits(
    patched: Stack, scratch: str, kdc: Any
) -> None:
    """At a login and at a spawn; then both go on, with a ticket."""
    add_person(kdc, "ines")
    folder = scratch + "/callable-waits"
    extra = PATIENT + stub(patched, folder + "-stub") + _CALLABLE % {"folder": folder}
    with concurrent.futures.ThreadPoolExecutor(1) as pool, running(patched, folder, extra) as hub:
        for work in (
            lambda: Browser(hub, "ines").login(PASSWORD, HANG),
            lambda: spawn(hub, "ines"),
        ):
            waits = pool.submit(work)
            try:
                until(lambda: os.path.exists(folder + "-entered"))
                for _ in range(3):
                    answers(hub)
                assert not waits.done()
            finally:
                open(folder + "-gate", "w").close()
            waits.result()
            for name in ("-gate", "-entered"):
                os.unlink(folder + name)
        assert is_valid("ines"), hub.tail()
