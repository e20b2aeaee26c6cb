"""The whole job, as an administrator and two users meet it. The order of the tests counts:
the stack is as upstream first, then patched, then as upstream again."""

import json
import os
import pwd
import stat
import time
from typing import Any, Dict, List

import pytest

from integration.e2e.client import Browser, Refused
from integration.e2e.hub import CLASSIC, running, runs_on
from integration.e2e.notebooks import notebook_of
from integration.e2e.patched_stack import (
    PRINCIPAL,
    cache_of,
    is_valid,
    jhpatch,
    no_ticket,
    requests_for,
    site_of,
    times,
    tree,
)
from integration.e2e.stacks import Stack
from integration.e2e.world import PASSWORDS

KLIST = "import subprocess; print(subprocess.run(['klist'], stdout=-1, stderr=-2).stdout.decode())"


def worked(browser: Browser) -> str:
    """Spawns, saves and opens a notebook; gives what ``klist`` prints in a cell."""
    browser.spawn()
    browser.save("night.ipynb")
    browser.open("night.ipynb")
    return browser.run(KLIST)


PRISTINE: Dict[str, Any] = {}


def test_before_apply_the_stack_works_and_there_is_no_ticket(
    stack: Stack, scratch: str, keytabs: Dict[str, str]
) -> None:
    """Upstream as it is: login, spawn, open, save and a cell work, and klist finds nothing."""
    PRISTINE.update(tree(site_of(stack)))
    with running(stack, scratch + "/before") as hub:
        browser = Browser(hub, "alice")
        browser.login(PASSWORDS["alice"])
        assert "Ticket cache" not in worked(browser)
    assert not os.path.lexists(cache_of("alice"))


def test_status_says_what_is_to_be_done(stack: Stack, scratch: str) -> None:
    """Before apply: exit code 3, and each patch that fits is pristine."""
    report = json.loads(jhpatch(stack, "status", "--json", code=3))
    states = {patch["patch"]: patch["state"] for patch in report["sites"][0]["patches"]}
    for distribution in ("jupyterhub",) + stack.servers:
        found = {states[patch] for patch in states if patch.startswith(distribution + "/")}
        assert found == {"pristine"}, states
    assert set(states.values()) <= {"pristine", "not-needed", "absent"}


def test_apply_on_a_running_hub_names_what_must_restart(
    stack: Stack, scratch: str, keytabs: Dict[str, str]
) -> None:
    """One command patches the stack, and lists the hub and the server that run old code."""
    with running(stack, scratch + "/restart") as hub:
        browser = Browser(hub, "alice")
        browser.login(PASSWORDS["alice"])
        browser.spawn()
        report = json.loads(jhpatch(stack, "apply", "--json"))
        found = {one["pid"]: one["command"] for one in report["sites"][0]["restart"]}
        assert "jupyterhub" in found[hub.pid]
        assert any("singleuser" in command for command in found.values()), found
    assert jhpatch(stack, "status").count("applied") >= 2
    assert json.loads(jhpatch(stack, "status", "--json"))["sites"][0]["restart"] == []


def test_after_apply_a_cell_has_the_users_ticket(
    stack: Stack, scratch: str, keytabs: Dict[str, str]
) -> None:
    """The right principal, in a cache of the user's own with mode 0600; one line in the log."""
    no_ticket()
    with running(stack, scratch + "/after") as hub:
        browser = Browser(hub, "alice")
        browser.login(PASSWORDS["alice"])
        found = os.lstat(cache_of("alice"))
        assert stat.S_IMODE(found.st_mode) == 0o600
        assert found.st_uid == pwd.getpwnam("alice").pw_uid
        assert stat.S_ISREG(found.st_mode)
        printed = worked(browser)
        assert PRINCIPAL in printed, printed
        lines = [line for line in hub.log().splitlines() if "Kerberos ticket for alice" in line]
        assert len(lines) == 1 and keytabs["alice"] in lines[0], hub.tail()


def test_opening_a_notebook_gets_a_ticket_that_has_gone_on_each_server_of_the_stack(
    stack: Stack, scratch: str, keytabs: Dict[str, str]
) -> None:
    """Whichever distribution the user's server runs on, its own patch gets the ticket again."""
    path = notebook_of("alice")
    for server in stack.servers:
        no_ticket()
        with running(stack, scratch + "/again-" + server, CLASSIC + runs_on(server)) as hub:
            browser = Browser(hub, "alice")
            browser.login(PASSWORDS["alice"])
            browser.spawn()
            assert browser.server() == stack.version(server)
            no_ticket()
            browser.open(path)
            deadline = time.monotonic() + 180
            while not is_valid("alice"):
                assert time.monotonic() < deadline, hub.tail()
                time.sleep(0.2)
            assert PRINCIPAL in browser.run(KLIST)


def test_the_ticket_stays_valid_when_the_client_has_gone(
    stack: Stack, scratch: str, kdc: Any, keytabs: Dict[str, str], request: Any
) -> None:
    """Tickets of 60 s, the notebook opened once: valid at each second from then on."""
    no_ticket()
    kdc.set_ticket_lifetime("60s")
    seconds = request.config.option.keep_seconds or stack.keep_seconds
    try:
        with running(stack, scratch + "/kept") as hub:
            browser = Browser(hub, "alice")
            browser.login(PASSWORDS["alice"])
            browser.spawn()
            browser.save("night.ipynb")
            browser.open("night.ipynb")
            del browser
            bad: List[int] = []
            start = time.monotonic()
            for second in range(seconds):
                if not is_valid("alice"):
                    bad.append(second)
                time.sleep(max(0.0, start + second + 1 - time.monotonic()))
            assert not bad, "not valid at seconds %s\n%s" % (bad, hub.tail())
    finally:
        kdc.set_ticket_lifetime("10h")


def test_a_wrong_password_gets_no_login_no_ticket_and_no_kinit(
    stack: Stack, scratch: str, kdc: Any, keytabs: Dict[str, str]
) -> None:
    """The KDC is asked nothing for somebody whom PAM does not let in."""
    no_ticket()
    asked = requests_for(kdc, "alice/service")
    with running(stack, scratch + "/wrong") as hub:
        with pytest.raises(Refused) as refused:
            Browser(hub, "alice").login("not the password")
    assert refused.value.status in (200, 403)
    assert not os.path.lexists(cache_of("alice"))
    assert requests_for(kdc, "alice/service") == asked


def test_without_a_keytab_warn_lets_in_and_says_why(
    stack: Stack, scratch: str, keytabs: Dict[str, str]
) -> None:
    """policy = "warn": bob logs in and works; the log says in one line why he has no ticket."""
    no_ticket()
    with running(stack, scratch + "/warn") as hub:
        browser = Browser(hub, "bob")
        browser.login(PASSWORDS["bob"])
        assert "Ticket cache" not in worked(browser)
        lines = [line for line in hub.log().splitlines() if "at login" in line and "bob" in line]
        assert len(lines) == 1 and "/home/bob/bob.keytab" in lines[0], hub.tail()


def test_without_a_keytab_require_refuses_and_says_why(
    stack: Stack, scratch: str, keytabs: Dict[str, str]
) -> None:
    """policy = "require": bob's login is a 503 that names the reason; alice gets in."""
    no_ticket()
    strict = CLASSIC + 'c.KerberosTicket.policy = "require"\n'
    with running(stack, scratch + "/require", strict) as hub:
        with pytest.raises(Refused) as refused:
            Browser(hub, "bob").login(PASSWORDS["bob"])
        assert refused.value.status == 503
        assert "No Kerberos ticket" in refused.value.text
        lines = [line for line in hub.log().splitlines() if "No Kerberos ticket for bob" in line]
        assert len(lines) == 1 and "/home/bob/bob.keytab" in lines[0], hub.tail()
        Browser(hub, "alice").login(PASSWORDS["alice"])


def test_apply_again_changes_no_byte_and_no_mtime(stack: Stack, scratch: str) -> None:
    """The second apply says that there is nothing to do, and does nothing."""
    before = times(site_of(stack))
    assert "nothing to do" in jhpatch(stack, "apply")
    assert times(site_of(stack)) == before


def test_revert_gives_every_byte_back(stack: Stack, scratch: str, keytabs: Dict[str, str]) -> None:
    """After revert the site is what pip had installed, and the stack works as upstream."""
    no_ticket()
    jhpatch(stack, "revert")
    assert tree(site_of(stack)) == PRISTINE
    assert "unpatched" in jhpatch(stack, "status", code=3)
    with running(stack, scratch + "/reverted") as hub:
        browser = Browser(hub, "alice")
        browser.login(PASSWORDS["alice"])
        assert "Ticket cache" not in worked(browser)
        assert "Kerberos" not in hub.log()
    assert not os.path.lexists(cache_of("alice"))
