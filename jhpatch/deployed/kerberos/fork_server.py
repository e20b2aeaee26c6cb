"""The hub's fork server: a small process owned by root, whose children become users.

forked_process.py starts this program, which uses only the standard library. A fork takes less
time than the start of a program, and is safe here: unlike the hub, this process has one thread.

Requests and answers are JSON messages on its standard input, a socket. A request for a child
passes the descriptors of the child's standard files. The server reaps a child when the hub asks
for its exit code, so that the process id is not reused before. Of the hub's environment, the
server inherits no variable, and of its descriptors, only standard error.
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
    cache_child.ignore_signals()  # it ends when the hub closes the socket
    gc.disable()  # garbage collection in a child would copy memory pages
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
    """Become a user with their groups; a directory service may take long to look these up."""
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
