"""Mounts are read as fstab(5) describes them, and homes that need a ticket are found."""

import pytest

from jhpatch.kerberos import mounts
from jhpatch.kerberos.mounts import Mount
from tests.kerberos.findings_of import ALICE, KEYTAB, codes

TEXT = r"""/dev/sda1 / ext4 rw 0 0
nas:/home /home nfs4 rw,sec=krb5p,vers=4.2 0 0
nas:/my\040data /my\040data nfs rw,sec=sys 0 0
/dev/sdb1 /home/bob ext4 rw 0 0
"""
MOUNTS = mounts.parse_mounts(TEXT)
BOB = ALICE._replace(name="bob", home="/home/bob")


@pytest.mark.parametrize(
    "account, keytab, when, expected",
    [
        (ALICE, KEYTAB, "after", {"home-needs-ticket", "home-before-ticket"}),
        (ALICE, KEYTAB, "before", {"home-needs-ticket"}),
        (ALICE, "/etc/k", None, {"home-before-ticket"}),
        (ALICE, "", None, {"home-before-ticket"}),
        (ALICE, "/etc/k", "before", set()),
        (BOB, "/home/bob/k", None, set()),
    ],
)
def test_homes_that_need_a_ticket(account, keytab, when, expected):
    """The keytab cannot lie in such a home, and the ticket must come before the home."""
    assert codes(mounts.check_mounts(account, keytab, when, MOUNTS)) == expected


@pytest.mark.parametrize(
    "path, mount",
    [
        ("/my data/x", Mount("/my data", "nfs", ("rw", "sec=sys"))),
        ("/homes", Mount("/", "ext4", ("rw",))),
        ("/home", Mount("/home", "nfs4", ("rw", "sec=krb5p", "vers=4.2"))),
        ("/home/bob/", Mount("/home/bob", "ext4", ("rw",))),
    ],
)
def test_the_mount_of_a_path(path, mount):
    """It is the longest that the path is below; a name that only begins alike is not."""
    assert mounts.find_mount(path, MOUNTS) == mount


def test_the_last_mount_hides_the_others():
    """Of two on the same directory the later one is what users see."""
    later = Mount("/home", "tmpfs", ("rw",))
    assert mounts.find_mount("/home/alice", (*MOUNTS, later)) == later
    assert mounts.find_mount("/home", ()) is None


def test_this_host_has_a_root():
    """/proc/mounts can be read."""
    assert mounts.find_mount("/no/such/path", mounts.read_mounts("/proc/mounts")).path == "/"


def test_a_line_without_the_last_fields():
    """They say nothing about the mount (fstab(5): both can be left out)."""
    assert mounts.parse_mounts("nas:/x /x nfs ro\n") == (Mount("/x", "nfs", ("ro",)),)


def test_a_line_that_is_no_mount(tmp_path):
    """It is ignored; a path that is not UTF-8 is read."""
    path = tmp_path / "mounts"
    path.write_bytes(b"x\n\nnas:/\xff /\xff nfs sec=krb5 0 0\n")
    (mount,) = mounts.read_mounts(str(path))
    assert mount.needs_ticket
