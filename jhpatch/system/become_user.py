"""Work as another user, in a child process that runs as that user."""

import contextlib
import json
import os
import select
import time
from typing import Any, Callable, Dict, Optional

from jhpatch.errors import (
    BadPatch,
    Failed,
    JhpatchError,
    Locked,
    MissingModule,
    NextStep,
    Refused,
    Untrusted,
    Usage,
)
from jhpatch.system import path_owners


class TimedOut(Failed):
    """A child process did not finish in time, and was killed."""


_ANSWER_CAP = 64 * 1024 * 1024  # bytes
_KINDS = (BadPatch, Failed, Locked, MissingModule, Refused, Untrusted, Usage)
_ERRORS = {kind.code: kind for kind in _KINDS}


def run_as(
    uid: int, job: Callable[[], Any], gid: Optional[int] = None, limit: Optional[float] = None
) -> Any:
    """Call ``job`` in a child process that runs as user ``uid``; return its answer, as JSON.

    After ``limit`` seconds, the child is killed: the user can stop it, and so can a file system
    that does not respond. None waits for the child to complete a change.

    The child also has the group ``gid``: that of files from elsewhere, such as an image, if this
    host does not know their owner as a member of the group. The caller must have loaded
    everything that the job imports or reads from files of root. Raises the job's own
    JhpatchError, TimedOut after the limit, and Failed for any other failure.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reader)
            answer = json.dumps(_run(uid, job, gid)).encode("ascii")
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(answer)
            code = 0
        finally:
            os._exit(code)  # without the parent's exit handlers
    os.close(writer)
    data = None
    try:
        with os.fdopen(reader, "rb") as pipe:
            data = pipe.read(_ANSWER_CAP) if limit is None else _read(pipe.fileno(), limit)
    finally:
        if limit is not None and data is None:  # after the limit or Ctrl-C
            _kill(pid)
        _, status = os.waitpid(pid, 0)  # also after Ctrl-C: the child first completes its site
    if limit is not None and data is None:
        raise TimedOut("the child process of uid %d did not finish within %g s" % (uid, limit))
    return _unpack(uid, data or b"", status)


def _read(descriptor: int, limit: float) -> Optional[bytes]:
    """Return what a child writes until it closes the pipe; None after ``limit`` seconds."""
    end = time.monotonic() + limit
    data = b""
    while len(data) < _ANSWER_CAP:
        left = end - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            return None
        piece = os.read(descriptor, 1 << 20)
        if not piece:
            break
        data += piece
    return data


def _kill(pid: int) -> None:
    """Kill a child, and the programs that it has started in its session."""
    import signal  # takes 1 ms to create its enums

    for kill in (os.kill, os.killpg):
        with contextlib.suppress(OSError):
            kill(pid, signal.SIGKILL)


def _run(uid: int, job: Callable[[], Any], gid: Optional[int]) -> Dict[str, Any]:
    """Run in the child; return the job's answer or its error as data."""
    try:
        _become(uid, gid)
        return {"answer": job()}
    except JhpatchError as error:
        fields = (error.message, error.path, error.expected, error.found)
        step = error.next and error.next.packed()
        return {"code": error.code, "error": fields, "next": step}
    except Exception as error:
        message = "%s: %s" % (type(error).__name__, error)
        return {"code": "failed", "error": [message, None, None, None], "next": None}


def _unpack(uid: int, data: bytes, status: int) -> Any:
    try:
        document = json.loads(data.decode("ascii"))
        if "answer" in document:
            return document["answer"]
        step = document["next"]
        step = step and NextStep.unpacked(step)
        message, path, expected, found = document["error"]
        raise _ERRORS[document["code"]](message, path, expected, found, step)
    except (ValueError, KeyError, TypeError, RecursionError):
        reason = "signal %d" % (status & 127) if status & 127 else "status %d" % (status >> 8)
        raise Failed("the child process of uid %d returned no result: %s" % (uid, reason))


def _become(uid: int, gid: Optional[int]) -> None:
    """Set the groups and the real, effective and saved gid and uid of a user, by number.

    The new session has no terminal: a program of the user could write to the input of
    root's terminal (TIOCSTI, CVE-2017-5226).
    """
    account = path_owners.account_of(uid)
    os.setsid()
    os.chdir("/")
    try:
        if account is None:
            primary = uid if gid is None else gid
            os.setgroups([primary])
        else:
            primary = account.gid
            os.initgroups(account.name, primary)
            if gid is not None and gid not in os.getgroups():
                os.setgroups(os.getgroups() + [gid])
        os.setresgid(primary, primary, primary)
        os.setresuid(uid, uid, uid)
    except OSError as error:  # a user namespace without this uid, a container without CAP_SETUID
        raise Refused(
            "root cannot become uid %d: %s" % (uid, error.strerror),
            expected="a process that can become uid %d" % uid,
            found=str(error.strerror),
            next="run jhpatch as uid %d" % uid,
        )
    home = account.home if account else "/"
    os.environ.clear()
    os.environ.update({"PATH": os.defpath, "HOME": home, "LC_ALL": "C"})
