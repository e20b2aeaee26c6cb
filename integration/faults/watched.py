"""A command on a hostile site or tree, and what must hold whatever it meets there.

It ends in time and in bounded memory, with a code of the contract and a message that
somebody wrote; nothing outside of the site is touched.
"""

import contextlib
import hashlib
import io
import json
import os
import resource
import signal
import stat

from testing.commands import Answer
from testing.trees import times

SECONDS = 120
_ROOM = 768 * 1024 * 1024  # a file of a gigabyte that is read whole does not fit
CODES = {0, 1, 2, 3, 4, 5}
WAY_BACK = "-name .jhpatch -o "


class Hang(BaseException):
    """A command that has not ended in time; no ``except Exception`` stops it."""


@contextlib.contextmanager
def bounded(seconds=SECONDS):
    """Raises Hang after ``seconds``, MemoryError at some hundred megabytes more than now."""

    def late(number, frame):
        raise Hang("not done after %d s" % seconds)

    old = signal.signal(signal.SIGALRM, late)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_used() + _ROOM, hard))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGALRM, old)


def _used():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def answer(*arguments):
    """Runs a command in this process, bounded, as ``--json``; gives an Answer."""
    from jhpatch.cli.main import main

    out, talk = io.StringIO(), io.StringIO()
    with bounded(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(talk):
        code = main([*arguments, "--json"])
    document = json.loads(out.getvalue())
    assert document["exit_code"] == code
    found = Answer(code, document, talk.getvalue())
    check(found, arguments)
    return found


def check(found, arguments):
    """A code of the contract, an error for each failure, and no word that nobody wrote."""
    assert found.code in CODES, (arguments, found)
    said = json.dumps(found.document) + found.talk
    assert "unexpected" not in said and "Traceback" not in said, (arguments, said)
    assert len(said) < 200000, "a message of %d bytes" % len(said)
    if found.code in (1, 2, 4, 5):
        assert found.error.get("message"), (arguments, found)


def picture(folder):
    """All of a folder but .jhpatch: bytes (of a symlink its target), and what stat says."""
    found = {}
    for path, moments in times(folder).items():
        name = os.path.relpath(path, folder)
        if name != "." and name.split("/")[0] != ".jhpatch":
            info = os.lstat(path)
            found[name] = (_data(path, info), info.st_mode, info.st_uid, *moments)
    return found


def _data(path, info):
    if stat.S_ISLNK(info.st_mode):
        return os.readlink(path)
    if not stat.S_ISREG(info.st_mode) or info.st_size > 1 << 24:
        return ""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def saved(site):
    """What lies in .jhpatch but the lock, by its stat: a gigabyte is not read here either."""
    found = {}
    top = os.path.join(site, ".jhpatch")
    for above, folders, names in os.walk(top):
        for name in folders + names:
            info = os.lstat(os.path.join(above, name))
            found[os.path.relpath(os.path.join(above, name), top)] = (
                *(info.st_mode, info.st_uid, info.st_size, info.st_ino),
                *(info.st_mtime_ns, info.st_ctime_ns),
            )
    found.pop("lock", None)
    return found


def sentinel(folder):
    """A tree outside of the site that nothing may touch, with names that a path may aim at."""
    outside = os.path.join(str(folder), "outside")
    os.makedirs(os.path.join(outside, "sub"))
    for name in ("handlers.py", "state.json", "journal.json", "lock", "sub/a.py"):
        with open(os.path.join(outside, name), "w") as file:
            file.write("a file of somebody else: %s\n" % name)
        os.chmod(os.path.join(outside, name), 0o640)
    return outside
