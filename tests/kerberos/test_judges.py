"""What was read of keytabs, caches, kinit, units, mounts and configurations → findings."""

import pytest

from jhpatch.checks.accounts import Account
from jhpatch.kerberos import systemd_unit
from jhpatch.kerberos.systemd_unit import Unit

ALICE = Account("alice", 1001, 1001, "/home/alice", (1001,))
PATH = "/home/alice/alice.keytab"


def codes(rows, *severities):
    """The codes of findings, errors and warnings if nothing else is named."""
    return {one.code for one in rows if one.severity in (severities or ("error", "warning"))}


# units and mounts


def test_a_unit_file_is_read():
    """[Service] alone, lines that go on, drop-ins over it, lists that grow, comments."""
    text = "[Unit]\nUser=no\n[Service]\n# User=x\nUser = root\nPrivateTmp=\\\n true\n"
    dropins = ["[Service]\nReadWritePaths=/a\n", "[Service]\nReadWritePaths=/b\nPrivateTmp=no\n"]
    found = systemd_unit.parse([text, *dropins])
    assert found == {"User": "root", "PrivateTmp": "no", "ReadWritePaths": "/a /b"}
    assert systemd_unit.parse([*dropins, "[Service]\nReadWritePaths=\n"])["ReadWritePaths"] == ""


@pytest.mark.parametrize(
    "settings, keytab, cache, expected",
    [
        ({}, PATH, "/tmp/cc", set()),
        ({"PrivateTmp": "yes"}, PATH, "/tmp/cc", {"unit-private-tmp"}),
        ({"PrivateTmp": "true"}, PATH, "/tmp/cc", {"unit-private-tmp"}),
        ({"PrivateTmp": "yes"}, PATH, "/run/cc", set()),
        ({"ProtectHome": "yes"}, PATH, "/tmp/cc", {"unit-protect-home"}),
        ({"ProtectHome": "read-only"}, PATH, "/tmp/cc", set()),
        ({"ProtectHome": "read-only"}, PATH, "/home/alice/cc", {"unit-protect-home"}),
        ({"ProtectHome": "yes"}, "/etc/k", "/tmp/cc", set()),
        ({"ProtectSystem": "strict"}, PATH, "/run/cc", {"unit-protect-system"}),
        ({"ProtectSystem": "strict", "ReadWritePaths": "/run"}, PATH, "/run/cc", set()),
        ({"ProtectSystem": "full"}, PATH, "/run/cc", set()),
        ({"User": "jupyterhub"}, PATH, "/tmp/cc", {"unit-not-root"}),
        ({"User": "root"}, PATH, "/tmp/cc", set()),
    ],
)
def test_a_unit(settings, keytab, cache, expected):
    """What systemd hides from the hub and its servers."""
    one = Unit("jupyterhub.service", settings)
    assert codes(systemd_unit.judged_unit(one, (keytab,), (cache,))) == expected


def test_units_are_found_without_systemd(tmp_path):
    """In systemd's own order of folders, drop-ins of all of them."""
    from jhpatch.checks.runner import Deadline

    folders = [str(tmp_path / name) for name in ("etc", "lib")]
    for name, text in (
        ("lib/x.service", "[Service]\nUser=lib\n"),
        ("etc/x.service", "[Service]\nUser=etc\nPrivateTmp=yes\n"),
        ("lib/x.service.d/9.conf", "[Service]\nPrivateTmp=no\n"),
        ("etc/x.service.d/1.conf", "[Service]\nUser=first\n"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    found = systemd_unit.unit("x", {}, Deadline(5), folders)
    assert found == Unit("x.service", {"User": "first", "PrivateTmp": "no"})
    assert systemd_unit.unit("y", {}, Deadline(5), folders) is None


MOUNTS = r"""/dev/sda1 / ext4 rw 0 0
nas:/home /home nfs4 rw,sec=krb5p,vers=4.2 0 0
nas:/my\040data /my\040data nfs rw,sec=sys 0 0
/dev/sdb1 /home/bob ext4 rw 0 0
"""


def test_homes_that_need_a_ticket():
    """The keytab for the ticket cannot lie behind it; the ticket must come before the home."""
    mounted = systemd_unit.mounts(MOUNTS)
    both = {"home-needs-ticket", "home-before-ticket"}
    assert codes(systemd_unit.judged_mounts(ALICE, PATH, "after", mounted)) == both
    assert codes(systemd_unit.judged_mounts(ALICE, "/etc/k", None, mounted)) == {
        "home-before-ticket"
    }
    assert codes(systemd_unit.judged_mounts(ALICE, "/etc/k", "before", mounted)) == set()
    bob = ALICE._replace(home="/home/bob")
    assert codes(systemd_unit.judged_mounts(bob, "/home/bob/k", None, mounted)) == set()
    assert systemd_unit.mount_of("/my data/x", mounted).options == ("rw", "sec=sys")
    assert systemd_unit.mount_of("/homes", mounted).path == "/"
