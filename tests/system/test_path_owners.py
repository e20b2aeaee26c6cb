"""Who else can write a path, and what root does about it."""

import grp
import os
import pwd
import subprocess
import threading

import pytest

from jhpatch.errors import Failed, Refused
from jhpatch.report.next_command import Runner
from jhpatch.system import path_owners
from testing.users import ROOT_ONLY

pytestmark = ROOT_ONLY
OTHER = 1234  # the uid of nobody in particular


@pytest.fixture
def safe(tmp_path):
    """A directory that only root can write, all the way down."""
    if path_owners.writer_of(str(tmp_path)):
        pytest.skip("others can write the tests' own directory")
    return tmp_path


def test_a_safe_path_has_no_other_writer(safe):
    """Root's directories have no other writer; a sticky /tmp on the way is safe."""
    (safe / "site").mkdir()
    assert path_owners.writer_of(str(safe / "site")) is None
    assert path_owners.owner_to_become([str(safe / "site")]) is None


def test_a_users_directory_on_the_way_counts(safe):
    """Who can replace a directory can replace everything below it."""
    (safe / "home/venv/site").mkdir(parents=True)
    os.chown(str(safe / "home"), OTHER, OTHER)
    assert path_owners.writer_of(str(safe / "home/venv/site")).path == str(safe / "home")
    assert path_owners.owner_to_become([str(safe / "home/venv/site")]) == OTHER


def test_a_symlink_is_followed_and_each_step_counts(safe):
    """A link into a user's directory counts, and so does a link that a user owns."""
    (safe / "home").mkdir()
    (safe / "home/python").write_text("")
    os.chown(str(safe / "home"), OTHER, OTHER)
    os.symlink("home/python", str(safe / "python"))
    assert path_owners.writer_of(str(safe / "python")).uid == OTHER
    (safe / "target").write_text("")
    os.symlink("target", str(safe / "link"))
    os.lchown(str(safe / "link"), OTHER, OTHER)
    assert path_owners.writer_of(str(safe / "link")).uid == OTHER


@pytest.mark.parametrize("mode", [0o777, 0o772, 0o757])
def test_what_everybody_can_write_is_refused(safe, mode):
    """A path that a group or everybody can write is refused: there is no single user to become."""
    (safe / "site").mkdir()
    (safe / "site").chmod(mode)
    with pytest.raises(Refused) as refused:
        path_owners.owner_to_become([str(safe / "site")])
    assert "%o" % mode in refused.value.found


def test_paths_of_two_users_are_refused(safe):
    """A site of one user with the interpreter of another is refused."""
    for name, uid in (("one", OTHER), ("two", OTHER + 1)):
        (safe / name).mkdir()
        os.chown(str(safe / name), uid, uid)
    with pytest.raises(Refused):
        path_owners.owner_to_become([str(safe / "one"), str(safe / "two")])


def test_a_directory_of_roots_own_is_trusted(safe):
    """An empty group, a link to root's file and a sticky directory above are accepted."""
    directory = safe / "patches"
    (directory / "app").mkdir(parents=True)
    (directory / "app" / "one").write_text("")
    os.symlink("/etc/hostname", str(directory / "app" / "two"))
    os.chmod(str(directory / "app" / "one"), 0o664)
    path_owners.refuse_foreign(str(directory))


def test_a_dangling_symlink_is_named(safe):
    """The error names the link in the directory, not the missing target."""
    (safe / "patches").mkdir()
    os.symlink("/nowhere", str(safe / "patches" / "link"))
    with pytest.raises(Failed) as failed:
        path_owners.refuse_foreign(str(safe / "patches"))
    assert failed.value.path == str(safe / "patches" / "link")


def test_files_may_come_and_go_meanwhile(safe):
    """A .pyc that Python writes and renames while the directory is read is no error."""
    package, stop = safe / "package", threading.Event()
    package.mkdir()

    def compiling():
        while not stop.is_set():
            for number in range(100):
                (package / ("a.pyc.%d" % number)).write_bytes(b"")
            for number in range(100):
                (package / ("a.pyc.%d" % number)).unlink()

    thread = threading.Thread(target=compiling)
    thread.start()
    try:
        for _ in range(200):
            path_owners.refuse_foreign(str(package))
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("how", ["owner", "mode", "directory", "above", "link"])
def test_a_part_that_others_can_write_is_refused(safe, how):
    """The refusal names the part, its owner and its mode; one command mends the directory."""
    directory = safe / "mine" / "patches"
    (directory / "app").mkdir(parents=True)
    part = directory / "app" / "1.patch"
    part.write_text("")
    if how == "owner":
        os.chown(str(part), OTHER, OTHER)
    elif how == "mode":
        part.chmod(0o666)
    elif how == "directory":
        part = directory / "app"
        part.chmod(0o777)
    elif how == "above":
        part = safe / "mine"
        os.chown(str(part), OTHER, OTHER)
    else:
        part = directory / "app" / "2.patch"
        part.symlink_to("/proc/self/mem")
        os.lchown(str(part), OTHER, OTHER)
    with pytest.raises(Refused) as refused:
        path_owners.refuse_foreign(str(directory))
    assert refused.value.path == str(part)
    assert "owner uid" in refused.value.found and "mode" in refused.value.found
    if how == "above":  # not ours to change
        assert refused.value.next.parts[0].startswith("copy %s to " % directory)
        return
    subprocess.run(Runner().shown(refused.value.next), shell=True, check=True)
    path_owners.refuse_foreign(str(directory))


def test_a_checkout_of_a_user_takes_one_command(safe):
    """The whole checkout, with its package and its patches, not a file a run."""
    checkout = safe / "checkout"
    for name in ("jhpatch/cli", "patches/app", ".git"):
        (checkout / name).mkdir(parents=True)
        (checkout / name / "file").write_text("")
    (checkout / "setup.py").write_text("")
    subprocess.run(["chown", "-R", str(OTHER), str(checkout)], check=True)
    with pytest.raises(Refused) as refused:
        path_owners.refuse_foreign(str(checkout / "jhpatch"))
    line = Runner().shown(refused.value.next)
    assert line == f"chown -R -h root {checkout} && chmod -R go-w {checkout}"
    subprocess.run(line, shell=True, check=True)
    for name in ("jhpatch", "patches"):
        path_owners.refuse_foreign(str(checkout / name))


def test_a_checkout_in_a_home_is_copied(safe):
    """The home directory stays its user's: it is words, and names no chown of it."""
    checkout = safe / "home" / "checkout"
    (checkout / "jhpatch").mkdir(parents=True)
    (checkout / "setup.py").write_text("")
    subprocess.run(["chown", "-R", str(OTHER), str(safe / "home")], check=True)
    with pytest.raises(Refused) as refused:
        path_owners.refuse_foreign(str(checkout / "jhpatch"))
    assert refused.value.path == str(safe / "home")
    assert "chown" not in Runner().shown(refused.value.next)


@pytest.mark.parametrize("kind", ["sticky", "home", "home of its owner", "home of root's"])
def test_a_directory_with_other_uses_is_not_changed_as_a_whole(safe, monkeypatch, kind):
    """chown -R of /tmp or of a user's home would break the host: words instead."""
    shared = safe / "shared"
    shared.mkdir()
    shared.chmod(0o1777 if kind == "sticky" else 0o777)
    entry = pwd.struct_passwd(("shared", "x", OTHER, OTHER, "", str(shared), "/bin/sh"))
    # Another user's, as /var/www is; else as of a directory service that lists nobody.
    monkeypatch.setattr(pwd, "getpwall", lambda: [entry] if kind == "home" else [])
    if kind == "home of its owner":
        os.chown(str(shared), OTHER, OTHER)
        monkeypatch.setattr(pwd, "getpwuid", {OTHER: entry}.__getitem__)
    elif kind == "home of root's":
        monkeypatch.setattr(pwd, "getpwnam", {"shared": entry}.__getitem__)
    with pytest.raises(Refused) as refused:
        path_owners.refuse_foreign(str(shared))
    step = Runner().shown(refused.value.next)
    assert "chown" not in step and "chmod" not in step and str(shared) in step


def test_all_open_parts_are_in_one_command(safe):
    """A path that a group can write at several places takes one chmod."""
    site = safe / "env/lib/site"
    site.mkdir(parents=True)
    for part in (safe / "env", site):
        part.chmod(0o777)
    with pytest.raises(Refused) as refused:
        path_owners.owner_to_become([str(site)])
    line = Runner().shown(refused.value.next)
    assert line == "chmod go-w %s %s" % (safe / "env", site)
    subprocess.run(line, shell=True, check=True)
    assert path_owners.owner_to_become([str(site)]) is None


def test_a_system_directory_is_in_no_command(safe, monkeypatch):
    """A chmod of / or /opt is never printed."""
    writers = [path_owners.Writer("/opt", 0, 0o777)]
    monkeypatch.setattr(path_owners, "_writers_of", lambda path: iter(writers))
    with pytest.raises(Refused) as refused:
        path_owners.owner_to_become([str(safe)])
    assert "chmod" not in Runner().shown(refused.value.next)


def test_who_else_can_write_by_a_group(safe):
    """Root's group is root; the group of a single user is that user; else its members count."""
    path = safe / "file"
    path.write_text("")
    path.chmod(0o664)
    for gid, users, others in ((0, {0}, False), (4242, {0}, False)):
        os.chown(str(path), 0, gid)
        assert path_owners.can_others_write(os.stat(str(path)), users) == others
    entry = next(entry for entry in pwd.getpwall() if entry.pw_uid and entry.pw_gid)
    os.chown(str(path), 0, entry.pw_gid)
    assert path_owners.can_others_write(os.stat(str(path)), {0})
    members = {one.pw_uid for one in pwd.getpwall() if one.pw_gid == entry.pw_gid}
    names = grp.getgrgid(entry.pw_gid).gr_mem
    members |= {pwd.getpwnam(name).pw_uid for name in names}
    assert not path_owners.can_others_write(os.stat(str(path)), {0, *members})
    path.chmod(0o666)
    assert path_owners.can_others_write(os.stat(str(path)), {0, *members})


def test_who_counts_as_root_does(safe):
    """A service's account may be trusted; a member of its group who is not one counts."""
    (safe / "sssd").mkdir()
    os.chown(str(safe / "sssd"), OTHER, OTHER)
    assert path_owners.writer_of(str(safe / "sssd")).uid == OTHER
    assert path_owners.writer_of(str(safe / "sssd"), lambda uid: uid == OTHER) is None
    (safe / "sssd").chmod(0o777)
    assert path_owners.writer_of(str(safe / "sssd"), lambda uid: uid == OTHER).mode == 0o777
