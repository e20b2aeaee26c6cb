"""Who a user is, and the directory that root makes for their cache."""

import os
import pwd
import stat
import subprocess
import sys
import threading

import pytest

from jhpatch.deployed.kerberos import account as accounts
from jhpatch.deployed.kerberos.account import (
    Account,
    NoAccount,
    account_of,
    make_private_directory,
    own_account,
)
from jhpatch.deployed.kerberos.errors import Problem
from testing import ROOT
from testing.users import ROOT_ONLY
from tests.deployed.tickets import NOBODY


@pytest.mark.parametrize(
    "name",
    ["", "-x", "../alice", "a/b", ".", "..", "a\nb", "a:b", "a\0b", "no such user", "\ud800"],
)
def test_names_are_checked_before_they_reach_a_path(name):
    """Against what no path may hold, and against the password database."""
    with pytest.raises(Problem) as problem:
        account_of(name, 1)
    assert isinstance(problem.value, NoAccount) == (name in ("no such user", "\ud800"))


@ROOT_ONLY
def test_root_never_gets_a_ticket():
    """Nor does anybody below min_uid."""
    for name, min_uid in (("root", 0), ("root", -5), ("nobody", 70000)):
        with pytest.raises(Problem) as problem:
            account_of(name, min_uid)
        assert "min_uid" in str(problem.value)
    assert account_of("nobody", 1)[:3] == ("nobody", 65534, 65534)


LOOK_UP = """
import sys
from jhpatch.deployed.kerberos.account import find_account
from jhpatch.deployed.kerberos.errors import Problem
for name in ("no-uid", "no-gid"):
    try:
        sys.exit("%s: %r" % (name, find_account(name)))
    except Problem as problem:
        assert "4294967295" in str(problem), problem
"""


@ROOT_ONLY
def test_an_id_that_is_no_change_is_refused(tmp_path):
    """As the host's own lookup returns it, whatever the Python: here from /etc/passwd."""
    passwd = str(tmp_path / "passwd")
    with open("/etc/passwd") as old, open(passwd, "w") as new:
        new.write(old.read() + "no-uid:x:4294967295:100::/:/bin/sh\n")
        new.write("no-gid:x:12345:4294967295::/:/bin/sh\n")
    script = 'mount --bind "$1" /etc/passwd && exec "$2" -c "$3"'
    command = ["unshare", "-m", "sh", "-c", script, "sh", passwd, sys.executable, LOOK_UP]
    subprocess.run(command, check=True, cwd=ROOT)


@pytest.mark.parametrize(
    "name, uid, gid",
    [("alice", 2**32 - 1, 7), ("alice", 7, 2**32 - 1), ("../alice", 7, 7), ("-a", 7, 7)],
)
def test_a_directory_cannot_name_an_account_that_is_none(monkeypatch, name, uid, gid):
    """An id of -1 is no change for setresuid(2): the child would stay root."""
    entry = pwd.struct_passwd((name, "x", uid, gid, "", "/", "/bin/sh"))
    monkeypatch.setattr(accounts.pwd, "getpwnam", lambda name: entry)
    with pytest.raises(Problem):
        account_of("alice", 1)


def test_ones_own_account_is_the_effective_users():
    """A server's process is its user's, whatever its environment says."""
    assert own_account().uid == os.geteuid()


# /run/jhpatch/NAME.


@pytest.fixture
def run():
    """A directory that only root can write, as /run is."""
    path = "/run/jhpatch-test-%d" % os.getpid()
    os.mkdir(path, 0o755)
    yield path
    subprocess.run(["rm", "-rf", path], check=True)


def picture(path):
    """Owner, group and mode."""
    status = os.lstat(path)
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)


@ROOT_ONLY
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o027, 0])
def test_a_users_directory_is_made_with_the_right_owner(run, umask):
    """After a reboot nothing is there; whatever the umask, the user alone can enter theirs."""
    top = run + "/jhpatch"
    old = os.umask(umask)
    try:
        for _ in range(2):
            make_private_directory(top + "/65534/cc", NOBODY, top)
            assert picture(top)[0] == 0 and picture(top)[2] & 0o022 == 0
            assert picture(top)[2] & 0o111 == 0o111
            assert picture(top + "/65534") == (65534, 65534, 0o700)
    finally:
        os.umask(old)


@ROOT_ONLY
@pytest.mark.parametrize(
    "path", ["/cc", "/../cc", "/a/b/cc", "/./cc", "/a/../b/cc", "//cc", "x/a/cc", "/a"]
)
def test_other_paths_are_nobodys_business(run, path):
    """Nothing is made for a path that is not TOP/NAME/FILE."""
    top = run + "/jhpatch"
    make_private_directory(top + path, NOBODY, top)
    assert os.listdir(run) == []


@ROOT_ONLY
def test_a_hub_that_died_in_between_is_made_up_for(run):
    """Between mkdir(2) and the owner: root's, empty, and closed to all."""
    top = run + "/jhpatch"
    os.mkdir(top, 0o700)
    os.mkdir(top + "/65534", 0o700)
    make_private_directory(top + "/65534/cc", NOBODY, top)
    assert picture(top + "/65534") == (65534, 65534, 0o700)
    assert picture(top)[2] & 0o001


@ROOT_ONLY
@pytest.mark.parametrize("mode, content", [(0o1777, False), (0o755, False), (0o700, True)])
def test_a_directory_of_the_administrators_stays_theirs(run, mode, content):
    """The owner of a shared sticky directory could replace everybody's cache."""
    top = run + "/jhpatch"
    os.makedirs(top + "/shared")
    os.chmod(top + "/shared", mode)
    if content:
        os.mkdir(top + "/shared/secret")
    make_private_directory(top + "/shared/cc_65534", NOBODY, top)
    assert picture(top + "/shared") == (0, 0, mode)


@ROOT_ONLY
def test_a_directory_of_somebody_else_is_a_problem(run):
    """Two users of one name in the template: the second is told."""
    top = run + "/jhpatch"
    make_private_directory(top + "/both/cc", NOBODY, top)
    with pytest.raises(Problem) as problem:
        make_private_directory(top + "/both/cc", Account("other", 4242, 4242, "/"), top)
    assert "belongs to uid 65534" in str(problem.value)
    assert picture(top + "/both")[0] == 65534


@ROOT_ONLY
@pytest.mark.parametrize("place", ["top", "name"])
@pytest.mark.parametrize("kind", ["symlink", "file", "fifo", "dangling"])
def test_what_stands_in_the_way_is_a_problem(run, tmp_path, place, kind):
    """A link is not followed, a FIFO not waited for; nothing of root's changes its owner."""
    treasure = tmp_path / "treasure"
    treasure.mkdir(0o700)
    top = run + "/jhpatch"
    path = top if place == "top" else top + "/65534"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if kind == "file":
        open(path, "w").close()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        os.symlink(str(treasure) if kind == "symlink" else "/nowhere", path)
    with pytest.raises(Problem) as problem:
        make_private_directory(top + "/65534/cc", NOBODY, top)
    assert "65534" in str(problem.value)
    assert picture(str(treasure)) == (0, 0, 0o700) and os.listdir(str(treasure)) == []


@ROOT_ONLY
@pytest.mark.parametrize("which", ["above", "top"])
@pytest.mark.parametrize("how", ["mode", "owner"])
def test_where_others_can_write_nothing_is_made(run, which, how):
    """They could put a link in the way between two steps."""
    top = run + "/jhpatch"
    os.mkdir(top, 0o755)
    path = run if which == "above" else top
    if how == "mode":
        os.chmod(path, 0o1777)
    else:
        os.chown(path, 65534, 65534)
    with pytest.raises(Problem) as problem:
        make_private_directory(top + "/65534/cc", NOBODY, top)
    assert "another user can write" in str(problem.value)
    assert os.listdir(top) == []


@ROOT_ONLY
def test_two_logins_at_once_make_one_directory(run):
    """Twenty threads, twenty rounds: each finds the directory as it must be."""
    top = run + "/jhpatch"
    problems = []

    def make(name):
        barrier.wait()
        try:
            make_private_directory("%s/%s/cc" % (top, name), NOBODY, top)
        except Problem as problem:
            problems.append(str(problem))

    for number in range(20):
        barrier = threading.Barrier(20)
        threads = [threading.Thread(target=make, args=("n%d" % number,)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert picture("%s/n%d" % (top, number)) == (65534, 65534, 0o700)
    assert not problems


@ROOT_ONLY
def test_no_descriptor_stays_open(run):
    """Made, there already, or refused."""
    top = run + "/jhpatch"
    before = os.listdir("/proc/self/fd")
    for _ in range(2):
        make_private_directory(top + "/65534/cc", NOBODY, top)
    os.symlink("/", top + "/link")
    for name in ("link", "x" * 300):
        with pytest.raises(Problem):
            make_private_directory("%s/%s/cc" % (top, name), NOBODY, top)
    assert not set(os.listdir("/proc/self/fd")) - set(before)


@ROOT_ONLY
def test_a_process_of_the_user_makes_nothing(run):
    """A server leaves it to the hub."""
    code = (
        "import os; from jhpatch.deployed.kerberos import account; os.setuid(65534)\n"
        "account.make_private_directory('%s/top/65534/cc', account.own_account(), '%s/top')"
        % (run, run)
    )
    environment = dict(os.environ, PYTHONPATH=ROOT, PYTHONDONTWRITEBYTECODE="1")
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert os.listdir(run) == []
