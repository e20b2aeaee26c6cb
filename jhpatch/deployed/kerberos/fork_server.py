"""The hub's fork server: a small process of root's, whose children become users.

A program of the standard library alone, which forked_process.py starts. It forks faster than a
program starts, and safely: it has one thread, which a hub has not.

Each request is a message of JSON on its standard input, a socket; so is each answer. With a
request for a child come the descriptors of its standard files. A child is reaped when the hub
asks for its exit code: until then its process id is its own. Nothing of the hub is in it: no
variable of its environment, and no descriptor but its standard error.
"""

import errno
import gc
import importlib
import json
import os
import socket
import struct
import sys
from typing import Any, Dict, List

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # after the standard library

cache_child = importlib.import_module("cache_child")

MESSAGE_CAP = 65536  # bytes


def serve() -> None:
    """Fork a child for each request, until the hub has closed the socket."""
    hub = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=0)
    cache_child.ignore_signals()  # the hub ends this process, after the children
    gc.disable()  # a collection in a child would copy each page
    while True:
        data, control, _, _ = hub.recvmsg(
            MESSAGE_CAP, socket.CMSG_SPACE(3 * 4), socket.MSG_CMSG_CLOEXEC
        )
        if not data:
            return
        descriptors = [fd for _, _, fds in control for fd in struct.unpack("3i", fds)]
        hub.send(json.dumps(_answer(json.loads(data.decode("ascii")), descriptors, hub)).encode())
        for fd in descriptors:
            os.close(fd)


def _answer(request: Dict[str, Any], descriptors: List[int], hub: Any) -> Dict[str, Any]:
    """Return the process id of a new child, or the exit code of one that has ended."""
    if "wait" in request:
        try:
            pid, status = os.waitpid(request["wait"], os.WNOHANG)
        except ChildProcessError as error:
            return {"error": error.strerror}
        return {"code": _exit_code(status) if pid else None}
    try:
        pid = os.fork()
    except OSError as error:
        return {"error": error.strerror}
    if not pid:
        code = 1
        try:
            os.setsid()
            hub.close()
            for number, fd in enumerate(descriptors):
                os.dup2(fd, number)
                os.close(fd)
            _become(request)
            code = cache_child.run(cache_child.decoded(request["options"]))
        except OSError as error:
            os.write(2, os.fsencode("cannot become the user: %s\n" % cache_child.words(error)))
        except Exception as error:
            os.write(2, ("%s: %s\n" % (type(error).__name__, error)).encode("ascii", "replace"))
        finally:
            os._exit(code)
    return {"pid": pid}


def _become(request: Dict[str, Any]) -> None:
    """Become a user, with their groups, which a directory may take long to tell."""
    os.environ.clear()
    for name, value in request["environment"].items():
        os.environb[name.encode("latin-1")] = value.encode("latin-1")
    uid, gid = request["uid"], request["gid"]
    os.initgroups(request["user"].encode("latin-1"), gid)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if os.getresuid() != (uid, uid, uid) or os.getresgid() != (gid, gid, gid):
        raise PermissionError(errno.EPERM, "the ids have not changed")


def _exit_code(status: int) -> int:
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)


if __name__ == "__main__":
    serve()
