"""The process that reads and stores a cache, as a program of its own; test_store.py has more."""

import binascii
import json
import os
import subprocess
import sys

import pytest

from jhpatch.deployed.kerberos import cache_child, ccache
from testing.pythons import interpreter


def options(cache, **more):
    """Options as store.py sends them."""
    values = dict(cache=str(cache), klist="", uid=os.getuid(), lock_wait=1, stale=0)
    values["kinit"] = ["/bin/sh", "-c", "printf new >cc"]
    return json.dumps(dict(values, **more))


def ran(python, text, orders):
    """The process, run once: its exit code, what it printed, and its errors."""
    argv = [python, "-I", "-S", cache_child.__file__, text]
    done = subprocess.run(argv, input=orders, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.returncode, done.stdout, done.stderr.decode()


@pytest.mark.parametrize("minor", ["3.%d" % number for number in range(6, 14)])
def test_it_runs_with_the_standard_library_alone(minor, tmp_path):
    """On each Python: the one of a user's server may not be the hub's."""
    python = interpreter(minor) or pytest.skip("no Python " + minor)
    cache = tmp_path / "cc"
    cache.write_bytes(b"old")
    code, out, errors = ran(python, options(cache), b"kinit\nkeep\n")
    assert (code, errors) == (0, "")
    *caches, last = out.splitlines()
    assert [binascii.a2b_base64(line) for line in caches] == [b"old", b"new"] and last == b"kept"
    assert cache.read_bytes() == b"new" and os.listdir(str(tmp_path)) == ["cc"]


@pytest.mark.parametrize("minor", ["3.6", "3.13"])
def test_what_kinit_prints_is_no_answer(minor, tmp_path):
    """Both of its outputs are error messages; Python 3.6 has no posix_spawn."""
    python = interpreter(minor) or pytest.skip("no Python " + minor)
    script = "read word; echo to $word; echo and >&2; printf new >cc"
    text = options(tmp_path / "cc", kinit=["/bin/sh", "-c", script])
    code, out, errors = ran(python, text, b"kinit\nkeep\n")
    assert (code, errors) == (0, "to\nand\n")
    assert [binascii.a2b_base64(line) for line in out.splitlines()[:-1]] == [b"", b"new"]


def test_what_is_read_is_bounded(tmp_path):
    """A cache that is larger than any is not usable, whatever its size."""
    assert cache_child.SIZE_CAP == ccache.SIZE_CAP
    cache = tmp_path / "cc"
    with open(str(cache), "wb") as file:
        file.truncate(1 << 26)
    code, out, _ = ran(sys.executable, options(cache), b"")
    assert code == 0 and len(binascii.a2b_base64(out)) == ccache.SIZE_CAP + 1


def test_a_program_that_a_signal_ends(tmp_path):
    """Its exit code is the one that a shell gives it."""
    text = options(tmp_path / "cc", kinit=["/bin/sh", "-c", "kill -KILL $$"])
    code, out, _ = ran(sys.executable, text, b"kinit\n")
    assert (code, out.splitlines()[-1]) == (0, b"!failed 137")


def test_a_program_that_cannot_be_run_has_its_reason(tmp_path):
    """As an exit code of kinit, with the path."""
    text = options(tmp_path / "cc", kinit=["/nonexistent/kinit"])
    code, out, errors = ran(sys.executable, text, b"kinit\n")
    assert (code, out.splitlines()[-1]) == (0, b"!failed 126")
    assert errors == "cannot run /nonexistent/kinit: No such file or directory\n"
    assert os.listdir(str(tmp_path)) == []


def test_stale_directories_are_the_users_own(tmp_path):
    """A link by such a name is removed, and what it points to is not."""
    kept, link = tmp_path / "kept", tmp_path / (".jhpatch-cc-%d-link" % os.getuid())
    kept.mkdir()
    (kept / "file").write_text("")
    link.symlink_to(kept)
    for name in ("", "-young"):
        path = tmp_path / (".jhpatch-cc-%d-directory%s" % (os.getuid(), name))
        path.mkdir()
        (path / "cc").write_text("ticket")
        os.utime(str(path), (0, 0) if not name else None)
    os.utime(str(link), (0, 0), follow_symlinks=False)
    cache_child.remove_stale(os.fsencode(str(tmp_path)), os.getuid(), 60)
    expected = [".jhpatch-cc-%d-directory-young" % os.getuid(), "kept"]
    assert sorted(os.listdir(str(tmp_path))) == expected
    assert (kept / "file").exists()


def test_names_of_others_cannot_delay_a_ticket(tmp_path):
    """/tmp full of names that look stale: the ticket is stored before they are looked at."""
    program = (
        "import sys, time; sys.path.insert(0, %r); import cache_child as c\n"
        "c.remove_stale = lambda *what: time.sleep(600)\n"
        "sys.exit(c.run(c.decoded(sys.argv[1])))" % os.path.dirname(cache_child.__file__)
    )
    cache = tmp_path / "cc"
    argv = [sys.executable, "-I", "-S", "-c", program, options(cache, stale=60)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdin.write(b"kinit\nkeep\n")
        child.stdin.flush()
        lines = [child.stdout.readline() for _ in range(3)]
        assert lines[-1] == b"kept\n" and cache.read_bytes() == b"new"
        assert child.poll() is None
        child.terminate()
        assert child.wait() == 143
    assert os.listdir(str(tmp_path)) == ["cc"]


def test_a_directory_that_is_gone_is_an_error(tmp_path):
    """Nothing is stored, and the message names the path."""
    code, _, errors = ran(sys.executable, options(tmp_path / "no" / "such" / "cc"), b"kinit\n")
    assert code == 1 and str(tmp_path / "no" / "such") in errors


def test_half_an_order_is_none(tmp_path):
    """The hub has died: the end of the input is the end."""
    assert ran(sys.executable, options(tmp_path / "cc"), b"kinit")[1:] == (b"\n", "")
    assert os.listdir(str(tmp_path)) == []
