"""A child that becomes a user: the uid and the groups that were meant, a clean environment."""

import os
import subprocess
import sys

import pytest

from jhpatch.deployed.kerberos import identity, process
from jhpatch.deployed.kerberos.account import Account
from jhpatch.deployed.kerberos.errors import Problem
from testing import ROOT
from testing.users import ROOT_ONLY, make_reachable
from tests.deployed.tickets import NOBODY

_AS_NOBODY = """
import sys
sys.path.insert(0, %r)
from jhpatch.deployed.kerberos import identity, process
from jhpatch.deployed.kerberos.account import account_of
process.PATH = sys.argv[1] + process.PATH
account = account_of("nobody", 1)
environment = identity.environment_of(account, {})
done = process.run(identity.become(account, 300) + sys.argv[2:], environment, 300)
print(done.out.decode() + done.err)
"""


def in_world(tmp_path, users, groups, directory, *argv):
    """What a program prints as nobody, on a host with more users and groups.

    setpriv is that of a directory, or the host's.
    """
    directory = directory and directory + ":"
    for name, more in (("passwd", users), ("group", groups)):
        with open("/etc/" + name) as file:
            text = file.read()
        (tmp_path / name).write_text(text + "".join(line + "\n" for line in more))
    mounts = "".join(
        "mount --bind %s/%s /etc/%s && " % (tmp_path, name, name) for name in ("passwd", "group")
    )
    world = ["unshare", "--mount", "sh", "-c", mounts + 'exec "$@"', "sh", sys.executable, "-c"]
    done = subprocess.run(
        [*world, _AS_NOBODY % ROOT, directory, *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    if b"not permitted" in done.stderr:
        pytest.skip("no mounts here")
    return done.stdout.decode() + done.stderr.decode()


@pytest.fixture
def old_setpriv(tmp_path):
    """A directory with a setpriv of util-linux before 2.33, which has no --init-groups."""
    directory = tmp_path / "old"
    directory.mkdir()
    path = directory / "setpriv"
    path.write_text(
        '#!/bin/sh\ncase " $* " in\n'
        '*" --help "*) exec echo "--groups" ;;\n'
        '*" --init-groups "*) echo "setpriv: unrecognized option" >&2; exit 1 ;;\n'
        'esac\nexec /usr/bin/setpriv "$@"\n'
    )
    path.chmod(0o755)
    make_reachable(str(directory))
    return str(directory)


NUMBERED = ["65534:x:5555:5555::/:/bin/sh"]
GROUPS = ["65534:x:5556:", "mates:x:5557:nobody", "5557:x:5558:"]


@ROOT_ONLY
@pytest.mark.parametrize("is_old", [False, True], ids=["new", "old"])
@pytest.mark.parametrize("users", [[], NUMBERED], ids=["plain", "numbered"])
def test_a_child_is_the_uid_that_was_meant(tmp_path, old_setpriv, users, is_old):
    """A user or a group whose name is another's number is not that: setpriv takes names first."""
    text = in_world(tmp_path, users, GROUPS, old_setpriv if is_old else "", "id")
    assert text.startswith("uid=65534(nobody) gid=65534("), text
    assert "5557(mates)" in text
    assert not any(number in text for number in ("5555", "5556", "5558"))


@ROOT_ONLY
@pytest.mark.parametrize(
    "is_old", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["new", "old"]
)
def test_a_user_of_12000_groups(tmp_path, old_setpriv, is_old):
    """The child has all of them; no argument is too long."""
    groups = ["g%d:x:%d:nobody" % (number, number) for number in range(200000, 212000)]
    argv = ["sh", "-c", "id -u; id -G"]
    text = in_world(tmp_path, [], groups, old_setpriv if is_old else "", *argv)
    words = text.split()
    assert words[:2] == ["65534", "65534"] and len(words) == 12002, text[:300]


@ROOT_ONLY
@pytest.mark.parametrize("is_old", [False, True], ids=["new", "old"])
def test_ids_have_a_sign_and_groups_are_not_looked_up_here(monkeypatch, old_setpriv, is_old):
    """``getgrouplist`` holds the interpreter's lock: the hub never calls it."""

    def called(*arguments):
        raise AssertionError("a look-up in this process")

    monkeypatch.setattr(os, "getgrouplist", called)
    monkeypatch.setattr(
        process, "PATH", old_setpriv + ":" + process.PATH if is_old else process.PATH
    )
    argv = identity.become(NOBODY, 300)
    assert "--reuid=+65534" in argv and "--regid=+65534" in argv
    (groups,) = [word for word in argv if "groups" in word]
    assert groups == ("--groups=+65534" if is_old else "--init-groups")


@ROOT_ONLY
def test_groups_that_cannot_be_had_are_a_problem(monkeypatch, old_setpriv):
    """It names the user and the reason, and says nothing about a KDC."""
    monkeypatch.setattr(process, "PATH", old_setpriv + ":" + process.PATH)
    identity.become(NOBODY, 300)
    with pytest.raises(Problem) as problem:
        identity.become(Account("no such user", 4242, 4242, "/"), 60)
    assert "the groups of no such user" in str(problem.value)
    with pytest.raises(Problem) as problem:
        identity.become(NOBODY, 0)
    assert type(problem.value) is Problem, "a directory that is slow is no KDC that is"


def test_a_process_of_the_user_becomes_nobody_else(monkeypatch):
    """The user's own server runs programs as they are; a hub that is no root has a reason."""
    own = Account("me", os.geteuid(), os.getegid(), "/")
    assert identity.become(own, 300) == []
    monkeypatch.setattr(process.os, "geteuid", lambda: 4242)
    with pytest.raises(Problem) as problem:
        identity.become(NOBODY, 300)
    assert "not run as root" in str(problem.value)


@ROOT_ONLY
def test_a_host_without_setpriv_has_a_reason(monkeypatch):
    """The package that it is in."""
    monkeypatch.setattr(process, "PATH", "/nowhere")
    with pytest.raises(Problem) as problem:
        identity.become(NOBODY, 300)
    assert "util-linux" in str(problem.value)


def test_the_environment_of_a_child_is_clean():
    """krb5.conf's path goes along; the hub's cache, keytab, secrets and loader's paths do not."""
    environ = dict(
        KRB5_CONFIG="/c",
        KRB5_KDC_PROFILE="/p",
        KRB5CCNAME="FILE:/root/cc",
        KRB5_CLIENT_KTNAME="/root/keytab",
        KRB5_TRACE="/tmp/x",
        CONFIGPROXY_AUTH_TOKEN="secret",
        LD_PRELOAD="/tmp/evil.so",
        PATH="/tmp/evil",
    )
    account = Account("other", os.geteuid() + 1, 1, "/home/other")
    expected = dict(
        KRB5_CONFIG="/c", KRB5_KDC_PROFILE="/p", PATH=process.PATH, LC_ALL="C", HOME="/home/other"
    )
    assert identity.environment_of(account, environ) == expected
    own = Account("me", os.geteuid(), 1, "/home/me")
    more = identity.environment_of(own, environ, TZ="UTC")
    assert more["KRB5CCNAME"] == "FILE:/root/cc" and more["TZ"] == "UTC"
    assert identity.environment_of(None, environ)["HOME"] == "/"


@ROOT_ONLY
@pytest.mark.parametrize(
    "mode, group, directory, expected",
    [
        (0o600, 0, 0o755, False),
        (0o640, 0, 0o755, False),
        (0o640, 65534, 0o755, True),
        (0o604, 0, 0o755, True),
        (0o644, 0, 0o700, False),
        (0o640, 65534, 0o711, True),
    ],
)
def test_whether_a_user_can_read_a_file_of_roots(tmp_path, mode, group, directory, expected):
    """By its mode and group, and by the directories above it."""
    above = tmp_path / "keytabs"
    above.mkdir()
    path = above / "keytab"
    path.write_text("x")
    path.chmod(mode)
    os.chown(str(path), 0, group)
    make_reachable(str(above))
    above.chmod(directory)
    assert identity.can_read(str(path), NOBODY) is expected
    assert identity.can_read("FILE:%s" % path, NOBODY) is expected
    assert identity.can_read(str(above / "absent"), NOBODY) is False


@ROOT_ONLY
def test_an_access_list_lets_a_user_read(tmp_path):
    """acl(5): the group's bits are then the mask."""
    path = tmp_path / "keytab"
    path.write_text("x")
    path.chmod(0o600)
    make_reachable(str(tmp_path))
    try:
        done = subprocess.run(["setfacl", "-m", "u:65534:r", str(path)], stderr=subprocess.DEVNULL)
    except OSError:
        pytest.skip("no setfacl here")
    if done.returncode:
        pytest.skip("no access lists here")
    assert identity.can_read(str(path), NOBODY)
