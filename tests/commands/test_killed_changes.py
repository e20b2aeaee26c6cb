"""Files that a patch creates, removes, empties and fills: a kill, or an error, at each step."""

import itertools
import os
import shutil
import subprocess

import pytest

from jhpatch.cli.main import main
from jhpatch.transaction.transaction import Transaction
from testing.packages import KINDS, put_patch
from testing.trees import tree

FILES = KINDS["awkward"]
PATCH = {
    "awkward/crlf.py": (FILES["awkward/crlf.py"], b"A = 1\r\n"),
    "awkward/gone.py": (FILES["awkward/gone.py"], None),
    "awkward/data/my file.txt": (FILES["awkward/data/my file.txt"], None),
    "awkward/empty.txt": (b"", b"filled"),
    "awkward/filled.txt": (b"one\n", b""),
    "awkward/new/deep/a.py": (None, b"A = 1\n"),
    "awkward/new/__init__.py": (None, b""),
}
"""The only file of ``awkward/data`` goes, and its directory with it."""


@pytest.fixture
def env(new_env, tmp_path):
    """An environment whose removed files have permissions of their own, and for root a group."""
    made = new_env("env")
    for path in sorted(os.listdir(made.site)):
        if not path.startswith("awkward"):
            full = os.path.join(made.site, path)
            shutil.rmtree(full) if os.path.isdir(full) else os.unlink(full)
    os.chmod(os.path.join(made.site, "awkward/gone.py"), 0o750)
    os.chmod(os.path.join(made.site, "awkward/data/my file.txt"), 0o600)
    if os.geteuid() == 0:
        for path in ("awkward", "awkward/data"):
            full = os.path.join(made.site, path)
            subprocess.run(["chgrp", "-R", "4242", full], check=True)
            os.chmod(full, 0o2755)  # what is new has the group, too
    put_patch(tmp_path / "p", "awkward/x", PATCH)
    return made


def state(site):
    """All files but those of jhpatch: bytes, mode, owner and group."""
    return {path: row for path, row in tree(site).items() if not path.startswith(".jhpatch")}


def copied(site, to):
    """A copy with the same owners and groups."""
    subprocess.run(["cp", "-a", site, to], check=True)


def run_in_child(number, fault, *arguments):
    """Run a command in a child; ``fault`` is called at the step ``number``. Its exit code."""
    pid = os.fork()
    if pid == 0:
        try:
            at, seen = Transaction._at, []

            def counted(self, step, path):
                at(self, step, path)
                seen.append(step)
                if len(seen) == number:
                    fault()

            Transaction._at = counted
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(1, 2)
            os._exit(main(list(arguments)))
        finally:
            os._exit(99)
    return os.WEXITSTATUS(os.waitpid(pid, 0)[1])


def die():
    """As by kill -9."""
    os._exit(42)


def fail():
    """As on a full disk."""
    raise OSError(28, "No space left on device")


@pytest.mark.slow
@pytest.mark.parametrize("fault", [die, fail], ids=["kill", "error"])
@pytest.mark.parametrize("command", ["apply", "revert"])
def test_a_fault_at_each_step(env, tmp_path, command, fault):
    """The next command makes the site whole: exactly before, or exactly after.

    Of a command's steps, every other one is killed and the others fail; JHPATCH_LONG: all.
    """
    patches = ["--patches", str(tmp_path / "p"), "--site"]
    before = state(env.site)
    done = str(tmp_path / "done")
    copied(env.site, done)
    assert run_in_child(0, die, "apply", *patches, done) == 0
    after = state(done)
    assert "awkward/data" not in after and "awkward/gone.py" not in after
    start = env.site if command == "apply" else done
    is_long = os.environ.get("JHPATCH_LONG")
    for number in itertools.count(1 + (fault is fail), 1 if is_long else 2):
        site = str(tmp_path / ("site-%d" % number))
        copied(start, site)
        code = run_in_child(number, fault, command, *patches, site)
        if code == 0:
            break  # there are no more steps
        assert code in (42, 1), (number, code)
        if fault is fail:
            assert state(site) in (before, after), number
        for again, expected in (("apply", after), ("revert", before)):
            assert run_in_child(0, die, again, *patches, site) == 0, (number, again)
            assert state(site) == expected, (number, again)
        assert not os.path.exists(os.path.join(site, ".jhpatch"))
        shutil.rmtree(site)
    assert number > 20
