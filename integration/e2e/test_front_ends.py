"""JupyterLab, nbclassic and notebook 7 in a real browser. They share jupyter_server, and
each asks it in its own way for a page and for a notebook's contents.

Each test patches the stack, and gives it back as it was.
"""

import contextlib
import json
import os
import pwd
import shutil
import stat
import subprocess
from typing import Any, Dict, Iterator, List

import pytest

from integration.e2e import chromium
from integration.e2e.chromium import FRONT_ENDS, Chromium, FrontEnd
from integration.e2e.hub import Hub, running
from integration.e2e.notebooks import CODE, notebook_of_alice
from integration.e2e.patched_stack import PRINCIPAL, cache_of, jhpatch, no_ticket, site_of, tree
from integration.e2e.stacks import STACKS, Stack
from integration.e2e.world import PASSWORDS
from testing.waiting import within

KEPT = "Kerberos: this server renews the ticket of %s" % PRINCIPAL
AUTOSAVE = 120  # seconds, in each front end; what is saved within half of it, Ctrl+S saved


# The newest stack's: a browser is slow. Another stack has no tests here, rather than
# skipped ones; without a stack pytest lists the tests and runs none.
__test__ = os.environ.get("JHPATCH_E2E_INNER", STACKS[-1].name) == STACKS[-1].name


@pytest.fixture(autouse=True)
def browser_is_there() -> None:
    """What the machine lacks is said, and fails in CI."""
    chromium.require()


@pytest.fixture(autouse=True)
def home_as_found(scratch: str, keytabs: Dict[str, str], tmp_path: Any) -> Iterator[None]:
    """JupyterLab opens again what was open: what a test leaves would be in the next one's way."""
    copy = str(tmp_path / "alice")
    subprocess.run(["cp", "-a", "/home/alice", copy], check=True)
    yield
    shutil.rmtree("/home/alice")
    subprocess.run(["cp", "-a", copy, "/home/alice"], check=True)


@contextlib.contextmanager
def patched(stack: Stack, *patches: str) -> Iterator[None]:
    """The stack with these patches, or with all, while the block runs; else as upstream."""
    upstream = tree(site_of(stack))
    jhpatch(stack, "apply", *patches)
    try:
        yield
    finally:
        jhpatch(stack, "revert")
        no_ticket()
    assert tree(site_of(stack)) == upstream


def source_of(path: str) -> str:
    """The code of a notebook's first cell, as it is on disk; empty while it is being written."""
    try:
        with open(path) as file:
            return "".join(json.load(file)["cells"][0]["source"])
    except ValueError:
        return ""


def ticket_of_alice() -> str:
    """What klist prints when alice types it; empty without a valid ticket."""
    argv = ["setpriv", "--reuid=alice", "--regid=alice", "--init-groups", "klist"]
    argv += ["-c", "FILE:" + cache_of("alice")]
    valid = subprocess.run(argv + ["-s"]).returncode == 0
    return subprocess.run(argv, stdout=subprocess.PIPE).stdout.decode() if valid else ""


@contextlib.contextmanager
def server_without_a_ticket(stack: Stack, folder: str) -> Iterator[Any]:
    """``(hub, browser)``: alice has logged in and her server runs, and her ticket is gone."""
    no_ticket()
    with running(stack, folder) as hub, Chromium(hub, "alice", folder + "/browser") as browser:
        browser.login(PASSWORDS["alice"])
        browser.spawn()
        assert "Kerberos ticket for alice" in hub.log()
        assert KEPT not in hub.log(), "something has asked the server already"
        no_ticket()
        yield hub, browser


def typed_and_saved(browser: Chromium, front_end: FrontEnd, path: str) -> None:
    """A comment typed into the first cell is in the file after Ctrl+S."""
    text = "  # typed into " + front_end.name
    browser.type(front_end, text)
    assert source_of(path) == CODE
    browser.press_save()
    assert within(AUTOSAVE / 2, lambda: source_of(path) == CODE + text), source_of(path)


def complaints(hub: Hub) -> List[str]:
    """What the log says of Kerberos but that there is a ticket."""
    lines = [line for line in hub.log().splitlines() if "kerberos" in line.lower()]
    return [line for line in lines if "Kerberos ticket for alice" not in line and KEPT not in line]


def test_without_the_servers_patch_there_is_no_ticket(
    stack: Stack, scratch: str, keytabs: Dict[str, str]
) -> None:
    """With the hub patched and the server as upstream, a notebook is opened and saved, and
    the ticket stays away."""
    front_end = FRONT_ENDS[0]
    path = notebook_of_alice("upstream.ipynb")
    with patched(stack, "jupyterhub/kerberos-login"):
        with server_without_a_ticket(stack, scratch + "/browser-upstream") as (hub, browser):
            browser.open(front_end, os.path.basename(path), CODE)
            typed_and_saved(browser, front_end, path)
            assert not os.path.lexists(cache_of("alice"))
            assert KEPT not in hub.log()


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda one: one.name)
def test_opening_a_notebook_gets_a_ticket_and_saving_keeps_it(
    front_end: FrontEnd, stack: Stack, scratch: str, keytabs: Dict[str, str]
) -> None:
    """The front end's own requests get the user's ticket, in a cache of the user's own with
    mode 0600; what is typed and saved is in the file, and the ticket is valid still."""
    path = notebook_of_alice(front_end.name + ".ipynb")
    folder = scratch + "/browser-" + front_end.name
    with patched(stack), server_without_a_ticket(stack, folder) as (hub, browser):
        browser.open(front_end, os.path.basename(path), CODE)
        assert within(300, ticket_of_alice)
        assert "Default principal: %s\n" % PRINCIPAL in ticket_of_alice()
        found = os.lstat(cache_of("alice"))
        assert stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o600
        assert found.st_uid == pwd.getpwnam("alice").pw_uid
        assert within(300, lambda: KEPT in hub.log())

        typed_and_saved(browser, front_end, path)
        assert ticket_of_alice()
        assert hub.log().count(KEPT) == 1
        assert complaints(hub) == []
