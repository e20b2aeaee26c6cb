"""Work as another user, in a child process that runs as that user."""

import json
import os
from typing import Any, Callable, Dict

from jhpatch.errors import (
    BadPatch,
    Failed,
    JhpatchError,
    Locked,
    NextStep,
    Refused,
    Untrusted,
    Usage,
)

_ANSWER_CAP = 64 * 1024 * 1024  # bytes
_ERRORS = {kind.code: kind for kind in (BadPatch, Failed, Locked, Refused, Untrusted, Usage)}


def run_as(uid: int, job: Callable[[], Any]) -> Any:
    """Call ``job`` in a child process that runs as user ``uid``; return its answer, as JSON.

    The caller must have loaded everything that the job imports or reads from files of
    root. Raises the job's own JhpatchError, and Failed for any other failure.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reader)
            answer = json.dumps(_run(uid, job)).encode("ascii")
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(answer)
            code = 0
        finally:
            os._exit(code)  # without the parent's exit handlers
    os.close(writer)
    try:
        with os.fdopen(reader, "rb") as pipe:
            data = pipe.read(_ANSWER_CAP)
    finally:
        _, status = os.waitpid(pid, 0)  # after Ctrl-C too: the child completes its site first
    return _unpack(uid, data, status)


def _run(uid: int, job: Callable[[], Any]) -> Dict[str, Any]:
    """Run in the child; return the job's answer or its error as data."""
    try:
        _become(uid)
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
        raise Failed("the child that works as uid %d gave no answer: %s" % (uid, reason))


def _become(uid: int) -> None:
    """Set the groups and the real, effective and saved gid and uid of a user.

    The new session has no terminal: a program of the user could write to the input of
    root's terminal (TIOCSTI, CVE-2017-5226).
    """
    import pwd

    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise Failed(
            "cannot become a user that the password database does not know",
            expected="an entry for uid %d" % uid,
            found="none",
            next="chown -R root the environment, or run jhpatch as uid %d" % uid,
        )
    os.setsid()
    os.chdir("/")
    os.initgroups(entry.pw_name, entry.pw_gid)
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(uid, uid, uid)
    os.environ.clear()
    os.environ.update({"PATH": os.defpath, "HOME": entry.pw_dir, "LC_ALL": "C"})
