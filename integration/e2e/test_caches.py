"""What lies in a user's cache when a ticket is wanted: a valid ticket while the KDC is away, one
of another principal, one of a broken keytab's, one in an older format, none any more.
"""

import glob
import os
import pwd
import re
import shutil
import struct
import time
from typing import Any

import pytest

from integration.e2e.client import Browser, Refused
from integration.e2e.hub import CLASSIC, running
from integration.e2e.krb5_conf import Krb5Conf
from integration.e2e.notebooks import notebook_of
from integration.e2e.patched_stack import cache_of, is_valid, requests_for
from integration.e2e.people import PASSWORD, add_person, shell_as, stamp_of
from integration.e2e.stacks import ENDS, Stack
from testing.kdc import SilentKdc
from testing.waiting import until

# Other stacks have no tests here, rather than skipped ones (integration/e2e/test_front_ends.py).
__test__ = os.environ.get("JHPATCH_E2E_INNER", ENDS[0]) in ENDS

REQUIRE = CLASSIC + "c.KerberosTicket.policy = 'require'\n"
LIFE, PART = "2m", 0.05
EARLY = "c.KerberosTicket.refresh_at = %r\nc.KerberosTicket.retry = 1.0\n" % PART


def wait_until_due(name: str) -> None:
    """Return when a ticket of ``LIFE`` is to be renewed; its times are whole seconds."""
    written = os.stat(cache_of(name)).st_mtime
    until(lambda: time.time() > written + 120 * PART + 2)


@pytest.mark.parametrize("kdc_is", ["silent", "dead"])
def test_a_valid_ticket_is_good_enough_while_the_kdc_is_away(
    patched: Stack, scratch: str, kdc: Any, kdc_is: str
) -> None:
    """policy = "require", a ticket that is due: logins go on, and one line tells why it is old."""
    name, folder = "valid-" + kdc_is, scratch + "/valid-" + kdc_is
    add_person(kdc, name, life=LIFE)
    conf = Krb5Conf(folder, kdc)
    extra = REQUIRE + EARLY + "c.KerberosTicket.timeout = 2.0\n"
    with running(patched, folder + "/hub", extra, conf.environment) as hub:
        Browser(hub, name).login(PASSWORD)
        wait_until_due(name)
        with SilentKdc(folder) as away:
            conf.replace(away.krb5_conf)
            if kdc_is == "dead":
                away.close()
            for _ in range(3):
                assert is_valid(name), "the host is too slow for this test"
                Browser(hub, name).login(PASSWORD)
            assert hub.lines("not renewed", name), hub.tail()
            assert not hub.lines("No Kerberos ticket"), hub.tail()


def test_ones_own_kinit_as_somebody_else_is_refused_with_what_to_do(
    patched: Stack, scratch: str, kdc: Any
) -> None:
    """policy = "require": the refusal has the command after which the next login goes on."""
    add_person(kdc, "xenia")
    kdc.add_principal("xenia-dev", password="development")
    with running(patched, scratch + "/foreign", REQUIRE) as hub:
        Browser(hub, "xenia").login(PASSWORD)
        shell_as("xenia", "echo development | kinit -c %s xenia-dev" % cache_of("xenia"))
        with pytest.raises(Refused) as refused:
            Browser(hub, "xenia").login(PASSWORD)
        assert refused.value.status == 503 and "does not replace before" in refused.value.text
        (command,) = set(re.findall(r"kdestroy -c FILE:[\w/]+", refused.value.text))
        shell_as("xenia", command)
        Browser(hub, "xenia").login(PASSWORD)
        assert is_valid("xenia")


# A kinit that obtains the ticket of another name, as a KDC with canonical names gives it (Active
# Directory, Heimdal's aliases); MIT's own database has no aliases before 1.22. No klist beside it.
_CANONICAL = """#!/bin/bash
words=("$@")
[ "${words[-1]}" = yann/service@EXAMPLE.TEST ] && words[-1]=Yann/service@EXAMPLE.TEST
exec %s "${words[@]}"
"""


def test_a_canonical_name_is_still_the_principal_that_was_asked_for(
    patched: Stack, scratch: str, kdc: Any
) -> None:
    """policy = "require": the second login finds a ticket, a later one renews it."""
    folder = scratch + "/canonical"
    os.makedirs(folder + "/bin")
    with open(folder + "/bin/kinit", "w") as file:
        file.write(_CANONICAL % shutil.which("kinit"))
    os.chmod(folder + "/bin/kinit", 0o755)
    add_person(kdc, "yann")
    kdc.add_principal("Yann/service", keytab="/home/yann/yann.keytab", life=LIFE)
    extra = REQUIRE + EARLY + "c.KerberosTicket.kinit = %r\n" % (folder + "/bin/kinit")
    with running(patched, folder + "/hub", extra) as hub:
        Browser(hub, "yann").login(PASSWORD)
        asked, old = requests_for(kdc, "Yann/service"), stamp_of("yann")
        assert asked
        Browser(hub, "yann").login(PASSWORD)
        assert requests_for(kdc, "Yann/service") == asked and stamp_of("yann") == old
        assert "Yann/service" in shell_as("yann", "klist -c " + cache_of("yann"))
        wait_until_due("yann")
        Browser(hub, "yann").login(PASSWORD)
        assert stamp_of("yann") != old and is_valid("yann"), hub.tail()


def test_a_keytab_that_fits_no_longer_is_reported_though_kinit_r_succeeds(
    patched: Stack, scratch: str, kdc: Any
) -> None:
    """Keys changed at the KDC: one warning the same day, and no line that praises the keytab."""
    add_person(kdc, "zoe", life=LIFE)
    with running(patched, scratch + "/masked", REQUIRE + EARLY) as hub:
        Browser(hub, "zoe").login(PASSWORD)
        kdc.change_keys("zoe/service")
        for _ in range(2):
            wait_until_due("zoe")
            old = stamp_of("zoe")
            Browser(hub, "zoe").login(PASSWORD)
            assert stamp_of("zoe") != old and is_valid("zoe"), hub.tail()
        assert len(hub.lines("zoe.keytab", "kinit obtained no ticket", "kinit -R")) == 1, (
            hub.tail()
        )
        assert len(hub.lines("Kerberos ticket for zoe", "from keytab")) == 1


def test_a_kdestroy_is_noticed(patched: Stack, scratch: str, kdc: Any) -> None:
    """A user destroys the ticket in a terminal: opening a notebook obtains another, and so does
    the server by itself.
    """
    add_person(kdc, "wanda")
    extra = CLASSIC + "c.KerberosTicket.retry = 1.0\n"
    with running(patched, scratch + "/kdestroy", extra) as hub:
        browser = Browser(hub, "wanda")
        browser.login(PASSWORD)
        browser.spawn()
        path = notebook_of("wanda")
        browser.open(path)
        until(lambda: glob.glob("/home/wanda/.local/share/jupyter/runtime/jhpatch-*.json"))
        shell_as("wanda", "kdestroy -c " + cache_of("wanda"))
        assert not is_valid("wanda")
        until(lambda: browser.open(path) or is_valid("wanda"))
        shell_as("wanda", "kdestroy -c " + cache_of("wanda"))
        until(lambda: is_valid("wanda"))  # nobody opens anything: within a minute


def forged(principal: bytes) -> bytes:
    """A cache, version 4, with a TGT of a principal; its key and its ticket are made up."""

    def text(data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + data

    def name(*parts: bytes) -> bytes:
        return struct.pack(">II", 1, len(parts)) + b"".join(map(text, (realm,) + parts))

    realm, now = b"EXAMPLE.TEST", int(time.time())
    times = struct.pack(">IIII", now, now, now + 36000, 0)
    ticket = name(principal) + name(b"krbtgt", realm) + struct.pack(">H", 18) + text(b"k" * 32)
    ticket += times + struct.pack(">BIII", 0, 0x40E10000, 0, 0) + text(b"ticket") + text(b"")
    return b"\x05\x04\0\0" + name(principal) + ticket


def test_a_principal_writes_no_line_into_the_hubs_log(
    patched: Stack, scratch: str, kdc: Any
) -> None:
    """A user's own cache names a principal with a line break, escapes, or 300 KB: one line."""
    add_person(kdc, "vera")
    line = b"[I 2026-01-01 00:00:00.000 JupyterHub base:1] User logged in: admin"
    with running(patched, scratch + "/injection", CLASSIC) as hub:
        for principal in (b"x\n%s\x1b[2J\xc2\x9b2J" % line, b"A" * 300000):
            with open(cache_of("vera"), "wb") as file:
                file.write(forged(principal))
            shutil.chown(cache_of("vera"), "vera", "vera")
            os.chmod(cache_of("vera"), 0o600)
            before = len(hub.log())
            Browser(hub, "vera").login(PASSWORD)
            added = hub.log()[before:]
            assert "holds a valid ticket of" in added, (
                "the principal is in no line: this is no attack"
            )
            assert len(added) < 10000
            for part in added.splitlines():
                assert part.isprintable() and not part.startswith(line.decode())


def test_caches_of_every_version_are_read(patched: Stack, scratch: str, kdc: Any) -> None:
    """krb5.conf's ccache_type 1 to 3 under "require": one ticket, two logins, one renewal."""
    add_person(kdc, "ulla", life=LIFE)
    folder = scratch + "/versions"
    conf = Krb5Conf(folder, kdc)
    with running(patched, folder + "/hub", REQUIRE + EARLY, conf.environment) as hub:
        for version in (1, 2, 3):
            if os.path.exists(cache_of("ulla")):
                os.unlink(cache_of("ulla"))
            conf.restore(" ccache_type = %d\n" % version)
            Browser(hub, "ulla").login(PASSWORD)
            with open(cache_of("ulla"), "rb") as file:
                assert file.read(2) == bytes([5, version]), "ccache_type is ignored"
            old, asked = stamp_of("ulla"), requests_for(kdc, "ulla/service")
            Browser(hub, "ulla").login(PASSWORD)
            assert (stamp_of("ulla"), requests_for(kdc, "ulla/service")) == (old, asked)
            wait_until_due("ulla")
            Browser(hub, "ulla").login(PASSWORD)
            assert stamp_of("ulla") != old and is_valid("ulla"), hub.tail()


def test_a_private_directory_in_run_is_made_for_each_user(
    patched: Stack, scratch: str, kdc: Any
) -> None:
    """The advised ccache /run/jhpatch/{uid}/cc works at the first login, and after a reboot."""
    uid = add_person(kdc, "theo")
    extra = REQUIRE + "c.KerberosTicket.ccache = '/run/jhpatch/{uid}/cc'\n"
    directory = "/run/jhpatch/%d" % uid
    with running(patched, scratch + "/private", extra) as hub:
        for _ in range(2):
            Browser(hub, "theo").login(PASSWORD)
            found = os.lstat(directory)
            assert (found.st_uid, found.st_mode & 0o7777) == (uid, 0o700)
            assert pwd.getpwuid(os.lstat("/run/jhpatch").st_uid).pw_name == "root"
            shell_as("theo", "klist -s -c %s/cc" % directory)
            shutil.rmtree("/run/jhpatch")
