"""One user's trouble is no other's: a flood of logins, homes that hang, callables that raise."""

import concurrent.futures
import os
import subprocess
from typing import Any, List

import pytest

from integration.e2e.client import Browser, Refused
from integration.e2e.hub import CLASSIC, SERVICE, Hub, running
from integration.e2e.patched_stack import cache_of, is_valid, requests_for
from integration.e2e.people import (
    PASSWORD,
    add_person,
    hang_keytab,
    running_as,
    spawn,
    wait_for_renewals,
)
from integration.e2e.stacks import ENDS, Stack
from integration.e2e.stub_server import stub
from testing.waiting import until

# Other stacks have no tests here, rather than skipped ones (integration/e2e/test_front_ends.py).
__test__ = os.environ.get("JHPATCH_E2E_INNER", ENDS[0]) in ENDS

FLOOD = 40  # logins at once
TIMEOUT = 180  # seconds of a kinit: no test here waits for the end of one that hangs
LIFE = "20s"
SOON = SERVICE + "c.KerberosTicket.retry = 1.0\n"


_MIXED = """
def keytab(name):
    central = name in {names!r}
    return ({folder!r} if central else "/home/" + name) + "/" + name + ".keytab"
c.KerberosTicket.keytab = keytab
"""


def mixed(folder: str, *names: str) -> str:
    """The settings for central keytabs of some users, and keytabs in the homes of the others."""
    os.makedirs(folder, mode=0o711)
    return CLASSIC + _MIXED.format(folder=folder, names=names)


def test_a_flood_of_one_users_logins_holds_up_nobody(
    patched: Stack, scratch: str, kdc: Any
) -> None:
    """mallory's keytab hangs, at 40 logins and in the renewal of her server's ticket.

    Meanwhile, with all of hers pending: another user logs in, a running server's ticket is
    renewed, and the hub ends after SIGTERM.
    """
    folder = scratch + "/flood"
    extra = mixed(folder + "-keytabs", "carol-f") + SOON + stub(patched, folder + "-stub")
    extra += "c.KerberosTicket.timeout = %d\n" % TIMEOUT
    mallory = add_person(kdc, "mallory-f", life=LIFE)
    add_person(kdc, "bob-f")
    add_person(kdc, "carol-f", folder + "-keytabs/carol-f.keytab", LIFE)
    pools = concurrent.futures.ThreadPoolExecutor  # the hub ends before the pool does
    with pools(FLOOD) as pool, running(patched, folder, extra) as hub:
        for name in ("mallory-f", "carol-f"):
            spawn(hub, name)
            assert is_valid(name), hub.tail()
        hang_keytab("mallory-f")
        # The hub's renewer is caught first.
        until(lambda: running_as(mallory, "kinit"))
        logins = [
            pool.submit(Browser(hub, "mallory-f").login, PASSWORD, 4 * TIMEOUT)
            for _ in range(FLOOD)
        ]
        until(lambda: connections(hub) >= FLOOD)
        Browser(hub, "bob-f").login(PASSWORD)
        assert is_valid("bob-f"), hub.tail()
        assert answered(logins) == [], "bob came after one of mallory's logins"
        wait_for_renewals("carol-f", 2)
        assert answered(logins) == [], "carol's ticket waited for mallory's"
        hub.terminate(TIMEOUT / 3)  # raises TimeoutExpired if it waits for the children


def connections(hub: Hub) -> int:
    """How many clients are connected to a hub's proxy."""
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in file]
    port = ":%04X" % int(hub.url.rpartition(":")[2])
    return sum(row[2].endswith(port) and row[3] == "01" for row in rows)


def answered(logins: List[Any]) -> List[Any]:
    """Which of the logins have ended."""
    return [login for login in logins if login.done()]


def test_homes_that_hang_delay_no_other_renewal(patched: Stack, scratch: str, kdc: Any) -> None:
    """Six servers whose users' keytabs hang, beside one with a central keytab."""
    folder = scratch + "/hung"
    extra = mixed(folder + "-keytabs", "carol-h") + SOON + stub(patched, folder + "-stub")
    extra += "c.KerberosTicket.timeout = %d\n" % TIMEOUT
    hung = {"hung-%d" % number: 0 for number in range(6)}
    for name in hung:
        hung[name] = add_person(kdc, name, life=LIFE)
    add_person(kdc, "carol-h", folder + "-keytabs/carol-h.keytab", LIFE)
    with running(patched, folder, extra) as hub:
        for name in list(hung) + ["carol-h"]:
            spawn(hub, name)
        for name in hung:
            hang_keytab(name)
        until(lambda: any(running_as(uid, "kinit") for uid in hung.values()))
        wait_for_renewals("carol-h", 2)
        # Four at a time once their first attempts have failed (requests.py).
        assert sum(bool(running_as(uid, "kinit")) for uid in hung.values()) >= 4


_CALLABLE = """
import os
def principal(name):
    if name == "quinn" and os.path.exists(%r):
        raise KeyError(name)
    return name + "/service"
c.KerberosTicket.principal = principal
"""


def test_a_callable_that_raises_for_one_user_harms_that_user_alone(
    patched: Stack, scratch: str, kdc: Any
) -> None:
    """The administrator's callable knows quinn no longer: no login for quinn; rosa's server goes
    on, and so do other logins."""
    folder = scratch + "/callable"
    extra = CLASSIC + SOON + stub(patched, folder + "-stub")
    extra += _CALLABLE % (folder + "-flag") + "c.KerberosTicket.policy = 'require'\n"
    for name in ("quinn", "rosa"):
        add_person(kdc, name, life=LIFE)
    with running(patched, folder, extra) as hub:
        for name in ("quinn", "rosa"):
            spawn(hub, name)
        open(folder + "-flag", "w").close()
        with pytest.raises(Refused) as refused:
            Browser(hub, "quinn").login(PASSWORD)
        assert refused.value.status == 503 and "KeyError" in refused.value.text
        wait_for_renewals("rosa", 2)
        until(lambda: not is_valid("quinn"))  # the hub's renewer has met the callable
        wait_for_renewals("rosa", 1)
        Browser(hub, "rosa").login(PASSWORD)
        os.unlink(folder + "-flag")
        Browser(hub, "quinn").login(PASSWORD)
        until(lambda: is_valid("quinn"))


def test_a_full_run_harms_only_who_needs_it(patched: Stack, scratch: str, kdc: Any) -> None:
    """No space in /run, where root obtains tickets of central keytabs: these users are refused
    under "require", with the reason; the others log in."""
    folder = scratch + "/full"
    extra = mixed(folder + "-keytabs", "sam") + "c.KerberosTicket.policy = 'require'\n"
    add_person(kdc, "sam", folder + "-keytabs/sam.keytab")
    add_person(kdc, "tess")
    with running(patched, folder, extra) as hub:
        mount = ["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=1,mode=0755", "tmpfs", "/run"]
        subprocess.run(mount, check=True)
        try:
            with pytest.raises(Refused) as refused:
                Browser(hub, "sam").login(PASSWORD)
            assert refused.value.status == 503 and "No space left" in refused.value.text
            Browser(hub, "tess").login(PASSWORD)
        finally:
            subprocess.run(["umount", "/run"], check=True)
        assert not os.path.lexists(cache_of("sam"))
        Browser(hub, "sam").login(PASSWORD)
        assert is_valid("sam") and is_valid("tess")


def test_two_hubs_of_one_host_share_a_users_cache(patched: Stack, scratch: str, kdc: Any) -> None:
    """A user with a server of each: one cache, which either hub keeps when the other is gone."""
    folder = scratch + "/two"
    extra = mixed(folder + "-keytabs", "uma") + SOON + stub(patched, folder + "-stub")
    add_person(kdc, "uma", folder + "-keytabs/uma.keytab", LIFE)
    with running(patched, folder + "/one", extra) as one:
        with running(patched, folder + "/other", extra) as other:
            for hub in (one, other):
                Browser(hub, "uma").login(PASSWORD)
                spawn(hub, "uma")
            asked = requests_for(kdc, "uma/service")
            wait_for_renewals("uma", 3)
            # Each renewal is a request with and one without preauthentication.
            assert requests_for(kdc, "uma/service") - asked <= 2 * 4, one.tail()
            other.kill()
            wait_for_renewals("uma", 2)
            assert is_valid("uma")
