"""Which commands doctor prints: none that could do harm, on whatever host."""

import os
import random
import re
import shlex
import stat

import pytest

from jhpatch.deployed.kerberos.account import Account
from jhpatch.errors import Command
from jhpatch.kerberos import ccache, keytab
from jhpatch.kerberos.findings import TABLE, finding
from jhpatch.kerberos.next_steps import CHANGES, READING, Place
from jhpatch.kerberos.path_components import PathComponent
from jhpatch.report.next_command import Runner

FIELDS = dict.fromkeys(
    ("realm", "host", "port", "protocol", "name", "principal", "command", "line"), "x"
)
ACCOUNTS = (
    Account("alice", 3001, 3001, "/home/alice"),
    Account("alice@corp.example.test", 3001, 3001, "/home/corp.example.test/alice"),
    Account("daemon", 1, 1, "/usr/sbin"),
    Account("nobody", 65534, 65534, "/"),
    Account("root", 0, 0, "/root"),
)
DIRECTORIES = (
    *("/home/alice", "/home/alice/keys", "/home/corp.example.test/alice", "/home", "/", "/run"),
    *("/usr/sbin", "/etc", "/etc/keytabs", "/var/lib/sss/pubconf", "/tmp", "/run/jhpatch"),
    *("/run/jhpatch/3001", "/home/bob", "/root"),
)
NAMES = ("alice.keytab", "krb5cc_3001", "a b;reboot", "-rf", "$(id)")
CHANGING = {
    *("chown", "chmod", "chgrp", "setfacl", "rm", "mv", "cp", "ln", "mkdir", "rmdir"),
    *("mount", "umount", "apt", "apt-get", "dnf", "yum", "pip", "makestep", "setenforce", "tee"),
    *("systemctl", "kdestroy", "kadmin", "kadmin.local", "usermod", "gpasswd", "sed", ">", ">>"),
}
PYTHON = {
    ("jhpatch", "doctor"),
    ("jhpatch", "status"),
    ("jhpatch", "ticket"),
}
KINDS = (stat.S_IFREG, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFSOCK)
MODES = (0o000, 0o400, 0o440, 0o600, 0o604, 0o640, 0o660, 0o666, 0o700, 0o755, 0o775, 0o1777)


def hosts(count, seed=18):
    """Yield hosts: an account, the components of a path, and the uid of the reader."""
    source = random.Random(seed)
    for _ in range(count):
        account = source.choice(ACCOUNTS)
        directory = source.choice((account.home, source.choice(DIRECTORIES)))
        path = directory.rstrip("/") + "/" + source.choice(NAMES)
        components = [component(source, path, source.choice(KINDS), account)]
        while path != "/":
            path = os.path.dirname(path)
            components.append(component(source, path, stat.S_IFDIR, account))
        yield account, tuple(components), source.choice((0, account.uid, 4444))


def component(source, path, kind, account):
    """Return a file or directory, which may not exist."""
    mode = None if source.random() < 0.1 else kind | source.choice(MODES)
    uid, gid = (source.choice((0, account.uid, 1, 3002)) for _ in range(2))
    rights = "".join(right for right in "rwx" if source.random() < 0.6)
    return PathComponent(path, mode, uid, gid, rights)


def findings_of(account, components, reader):
    """Yield all that doctor finds about a path, and each code that has changes there."""
    file, directory = components[0], components[1]
    yield from keytab.check_keytab_path(account, file.path, components, (0,), reader)
    yield from keytab.check_exposure(account, components, (0,), reader)
    yield from ccache.check_cache_path(account, file.path, components)
    for code in CHANGES:
        for one in (file, directory):
            place = Place(one, account, reader)
            yield finding(code, "x", one.path, account.name, place, **FIELDS)


def is_words(text):
    """Return whether a text contains no command that changes something."""
    return not CHANGING & set(re.split(r"[\s,;:()&|]+", text)) and "install -" not in text


def is_harmless(words, account, components, reader):
    """Return whether a command that changes something is one of those that are permitted."""
    file = components[0]
    if words[:4] == ["runuser", "-u", account.name, "--"]:
        words, acts_as = words[4:], account.uid
        if reader != 0:
            return False
    else:
        acts_as = reader
    if words[-1] != file.path or not stat.S_ISREG(file.mode or 0) or account.uid == 0:
        return False
    is_chmod = words[:-1] in (["chmod", "600"], ["chmod", "go-w"])
    return is_chmod and acts_as == account.uid == file.uid


def test_no_next_step_can_do_harm():
    """On 3,000 hosts: only the permitted changes, of a regular file of the user; all else reads,
    or is words that contain no command that changes anything.
    """
    printed = set()
    for account, components, reader in hosts(3000):
        for one in findings_of(account, components, reader):
            for part in one.next.parts if one.next else ():
                if isinstance(part, str):
                    assert is_words(part), (one.code, part)
                elif part.again or part == Command(("--user", account.name)):
                    pass  # this run again, as root
                elif part.module is not None:
                    assert (part.module, part.arguments[0]) in PYTHON, part
                elif part.arguments[0] not in READING:
                    words = list(part.arguments)
                    assert len(one.next.parts) == 1
                    assert is_harmless(words, account, components, reader), (one.code, words)
                    assert shlex.split(Runner().shown(one.next)) == words
                    printed.add((one.code, words[0]))
    assert printed == {
        (code, change.command[0]) for code, changes in CHANGES.items() for change in changes
    }


@pytest.mark.parametrize("code", sorted(CHANGES))
def test_without_a_place_a_next_step_is_words(code):
    """A check that does not know owner and mode prints no command."""
    step = finding(code, "x", "/home/alice/alice.keytab", "alice").next
    assert all(isinstance(part, str) for part in step.parts)


FILE = PathComponent("/home/alice/alice.keytab", stat.S_IFREG | 0o640, 3001, 100, "rw")


@pytest.mark.parametrize(
    "file, reader, command",
    [
        (FILE, 3001, "chmod 600 /home/alice/alice.keytab"),
        (FILE, 0, "runuser -u alice -- chmod 600 /home/alice/alice.keytab"),
        (FILE._replace(uid=0), 0, None),
        (FILE._replace(path="/etc/keytabs/alice.keytab", uid=0), 3001, None),
    ],
)
def test_who_runs_a_change(file, reader, command):
    """The user changes their own file; root does so with the user's rights alone."""
    place = Place(file, ACCOUNTS[0], reader)
    shown = Runner().shown(finding("keytab-exposed", "x", file.path, "alice", place).next)
    assert shown == (command or TABLE.kinds["keytab-exposed"].next)


def test_a_file_of_roots_is_given_to_nobody():
    """Alice can move or link a file of root's into her home: it would become hers."""
    place = Place(FILE._replace(uid=0, rights=""), ACCOUNTS[0], 0)
    step = finding("keytab-unreadable", "x", FILE.path, "alice", place).next
    assert all(isinstance(part, str) for part in step.parts)
    assert not any("chown" in change.command for row in CHANGES.values() for change in row)


@pytest.mark.parametrize("code", sorted(TABLE.kinds))
def test_a_step_that_depends_on_no_condition_only_reads(code):
    """Every row of the table is words, a reading program, or a command of jhpatch's own."""
    step = finding(code, "x", "/a", "alice", **FIELDS).next
    for part in step.parts if step else ():
        if isinstance(part, str):
            assert is_words(part)
        elif part.again or part == Command(("--user", "alice")):
            pass
        elif part.module is None:
            assert part.arguments[0] in READING
        else:
            assert (part.module, part.arguments[0]) in PYTHON


@pytest.mark.parametrize(
    "code, more",
    [
        ("needs-root", ""),
        ("restart-unknown", ""),
        ("keytab-central-unread", r" --user 'CORP\alice'"),  # the default as a user, not as root
    ],
)
def test_root_is_to_run_the_same_command(code, more):
    """With all options of this run: without them, doctor would check other settings."""
    arguments = ("doctor", "--config", "/srv/hub.py", "--unit", "hub")
    step = finding(code, "x", "/a", "CORP\\alice").next
    shown = Runner(arguments=arguments).shown(step)
    assert shown == "sudo python -m jhpatch doctor --config /srv/hub.py --unit hub" + more
