"""Disks that are full, read-only or forbid it, and limits that a shell may set."""

import contextlib
import os
import re
import resource
import subprocess

import pytest

from integration.faults.launched import (
    CORE,
    DEEP,
    answered,
    is_applied,
    leftovers,
    made,
    succeeded,
    without_ours,
)
from testing.trees import times

RECORD = "our_app-1.0.dist-info/RECORD"
STATE = ".jhpatch/state.json"
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="takes root to mount and to forbid")


@pytest.fixture
def place(tmp_path):
    """A site with one distribution."""
    return made(tmp_path)


def done(*command):
    """A command of the system, or a skip with its own words."""
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if run.returncode:
        pytest.skip("%s: %s" % (" ".join(command), run.stdout.decode(errors="replace").strip()))


@contextlib.contextmanager
def mounted(folder, *options):
    """Something mounted on ``folder``; whatever is on it at the end comes off again."""
    done("mount", *options, folder)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@contextlib.contextmanager
def immutable(path):
    """A file or folder that not even root can change (chattr(1), +i)."""
    done("chattr", "+i", path)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", path], check=True)


def meant(picture):
    """What must not change when a run fails: the site, and what is recorded of it.

    Saved originals may be more than before: they are no claim, and the next run drops them.
    """
    return dict(without_ours(picture), state=picture.get(STATE))


def failed_whole(place, command, before, **options):
    """Runs a command that meets a fault: None where it came through, else its error.

    A failure is exit code 1 and one message; the site is exactly as before. Came through:
    exactly after, though a failed tidying is exit code 1 too.
    """
    outcome = answered(place, command, **options)
    if outcome.code == 0:
        return None
    error = outcome.error
    assert outcome.code == 1, error
    assert not _is_raw(error["message"]) and not outcome.talk, (error, outcome.talk)
    assert leftovers(place.site) == [], error
    if meant(place.picture()) == meant(before):
        return error
    # Past the commit point: the change is whole; the tidying, or a last look, was kept from it.
    made = ("the change was made", "could not be removed")
    assert any(text in error["message"] for text in made), error
    assert is_applied(place.site) == (command == "apply")
    return None


def _is_raw(message):
    """Whether a message is for a developer. Python without memory says many things."""
    return re.search("unexpected (?!SystemError|ImportError)|MemoryError", message)


def names_a_file(error):
    """Whether the message says where: a path, and not just the site's."""
    return bool(error["path"]) and not error["path"].endswith("/")


def given_back(place, pristine):
    """The next run works, and a revert gives every byte back."""
    succeeded(place, "apply")
    assert set(answered(place, "status").states.values()) == {"applied"}
    succeeded(place, "revert")
    assert place.picture() == pristine


# A full disk.


def _on_tmpfs(place):
    """The site moved to where a tmpfs will be."""
    aside = place.site + "-aside"
    os.rename(place.site, aside)
    os.mkdir(place.site)
    return aside


def _fill(place, aside):
    for name in os.listdir(aside):
        subprocess.run(["cp", "-a", os.path.join(aside, name), place.site], check=True)


def _used(site, what):
    found = os.statvfs(site)
    return found.f_blocks - found.f_bfree if what == "size" else found.f_files - found.f_ffree


@root_only
@pytest.mark.parametrize("what, unit", [("size", 4096), ("nr_inodes", 1)], ids=["pages", "inodes"])
def test_a_disk_of_every_size(place, tally, what, unit):
    """From a disk that just holds the site, page by page and inode by inode, to enough."""
    aside = _on_tmpfs(place)
    options = ["-t", "tmpfs", "-o", "mode=755,size=64m,nr_inodes=9999", "tmpfs"]
    with mounted(place.site, *options):
        _fill(place, aside)
        pristine = place.picture()
        for command in ("apply", "revert"):
            full = _grown_until_it_works(place, command, what, unit)
            assert full >= 3, (command, full)
            tally("full disk", full)
        assert place.picture() == pristine
        given_back(place, pristine)


def _grown_until_it_works(place, command, what, unit):
    """How many sizes were too small; each run was whole, and the last one worked."""
    before = place.picture()
    base = _used(place.site, what)
    for more in range(200):
        size = "remount,%s=%d" % (what, (base + more) * unit)
        subprocess.run(["mount", "-o", size, place.site], check=True)
        error = failed_whole(place, command, before)
        if error is None:
            subprocess.run(
                ["mount", "-o", "remount,size=64m,nr_inodes=9999", place.site], check=True
            )
            return more
        assert "No space left" in error["message"] and names_a_file(error), error
    raise AssertionError("200 pages are not enough")


@root_only
def test_status_on_a_full_disk(place, tally):
    """Looking needs no room: not one byte, before and after."""
    aside = _on_tmpfs(place)
    with mounted(place.site, "-t", "tmpfs", "-o", "mode=755,size=64m", "tmpfs"):
        _fill(place, aside)
        for command, code in (("apply", 3), ("revert", 0)):
            size = "remount,size=%d" % (_used(place.site, "size") * 4096)
            subprocess.run(["mount", "-o", size, place.site], check=True)
            before = times(place.site)
            assert answered(place, "status").code == code
            assert answered(place, "diff").code == 0
            assert times(place.site) == before
            tally("full disk", 2)
            subprocess.run(["mount", "-o", "remount,size=64m", place.site], check=True)
            succeeded(place, command)


# A disk that nobody can write.


@root_only
@pytest.mark.parametrize("command", ["apply", "revert"])
def test_a_read_only_mount(place, tally, command):
    """status works there; a change is one clear error, also where it was writable before."""
    pristine = place.picture()
    if command == "revert":
        succeeded(place, "apply")
    before = place.picture()
    with mounted(place.site, "--bind", place.site):
        done("mount", "-o", "remount,bind,ro", place.site)
        assert answered(place, "status").code == (3 if command == "apply" else 0)
        error = failed_whole(place, command, before)
        assert error and "Read-only" in error["message"] and names_a_file(error), error
        assert place.picture() == before
        tally("read-only mount")
        subprocess.run(["mount", "-o", "remount,bind,rw", place.site], check=True)
        succeeded(place, command)
    if command == "apply":
        succeeded(place, "revert")
    assert place.picture() == pristine


@root_only
@pytest.mark.parametrize("command", ["apply", "revert"])
@pytest.mark.parametrize(
    "path", [CORE, DEEP, RECORD, "our_app", "our_app/sub", "our_app-1.0.dist-info", ""]
)
def test_something_immutable(place, tally, path, command):
    """A file or a folder that cannot be changed: named, and all others are put back."""
    pristine = place.picture()
    if command == "revert":
        succeeded(place, "apply")
    before = place.picture()
    with immutable(os.path.join(place.site, path)):
        error = failed_whole(place, command, before)
        # The site itself: only .jhpatch is made there, a revert of what is below needs it not.
        if path or command == "apply":
            assert error and names_a_file(error), error
            assert path in error["path"], error
            tally("immutable file or directory")
    if command == "apply":
        answered(place, "revert")
        assert place.picture() == pristine
    given_back(place, pristine)


@root_only
@pytest.mark.parametrize("path", ["", "/state.json", "/originals", "/lock", "/journal.json.new"])
def test_something_of_ours_is_immutable(place, tally, path):
    """A .jhpatch, or a file of it, that cannot be changed: revert fails with nothing changed."""
    pristine = place.picture()
    succeeded(place, "apply")
    name = os.path.join(place.site, ".jhpatch") + path
    if not os.path.exists(name):
        with open(name, "w"):
            pass
    before = place.picture()
    with immutable(name):
        outcome = answered(place, "revert")
        if outcome.code:
            assert outcome.code == 1 and names_a_file(outcome.error), outcome.error
            assert meant(place.picture()) == meant(before)
        else:
            assert without_ours(place.picture()) == without_ours(pristine)
        tally("immutable file or directory")
    succeeded(place, "revert")
    assert place.picture() == pristine


# Limits of the process.


def limited(kind, number):
    """Options for a command with a limit that the shell's ``ulimit`` could have set."""
    return {"preexec_fn": lambda: resource.setrlimit(kind, (number, number))}


def _starts(place, kind, number):
    """Whether Python itself comes up with this limit, and loads what any program needs."""
    run = subprocess.run(
        [place.python, "-I", "-c", "import argparse, hashlib, json, fcntl, ast"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **limited(kind, number),
    )
    return run.returncode == 0


def _every(place, tally, kind, numbers, words, fault):
    """A command with each limit, apply and revert: whole, and one error that says why."""
    pristine = place.picture()
    for command in ("apply", "revert"):
        before = place.picture()
        made = 0
        for number in numbers:
            if not (made or _starts(place, kind, number)):
                continue
            error = failed_whole(place, command, before, **limited(kind, number))
            if error is None:
                break
            assert any(word in error["message"] for word in words), (number, error)
            made += 1
        else:
            raise AssertionError("no limit was wide enough")
        assert made, command
        tally(fault, made)
    # With too few files to list .jhpatch it may stay behind, empty: the next run takes it away.
    assert meant(place.picture()) == meant(pristine)
    given_back(place, pristine)


def test_files_that_may_not_grow(place, tally, thorough):
    """RLIMIT_FSIZE: a write stops in the middle of a file (EFBIG), at every kind of size."""
    numbers = range(0, 20000, 64) if thorough else [0, 1, 128, 500, 1000, 3000]
    words = ["File too large"]
    _every(place, tally, resource.RLIMIT_FSIZE, [*numbers, 20000], words, "file size limit")


def test_too_few_open_files(place, tally):
    """RLIMIT_NOFILE: every number of files from the one with which Python starts."""
    words = ["Too many open files"]
    _every(place, tally, resource.RLIMIT_NOFILE, range(3, 40), words, "too many open files")


def test_too_little_memory(place, tally, thorough):
    """RLIMIT_AS: memory ends at a start-up, in the middle of a change, anywhere."""
    step = (64 if thorough else 1024) << 10
    numbers = range(12 << 20, 200 << 20, step)
    _every(place, tally, resource.RLIMIT_AS, numbers, [""], "out of memory")
