"""Free ports of loopback, given to one test at a time."""

import contextlib
import random
import socket
from typing import List

# Below those that Linux gives to whoever names none, connections included
# (net.ipv4.ip_local_port_range, from 32768 on).
_RANGE = range(20000, 32000)
_CLAIMS: List[socket.socket] = []  # for as long as this process lives


def free(count: int) -> List[int]:
    """Return as many ports, free for TCP and UDP; other processes get none of them."""
    found: List[int] = []
    for port in random.sample(_RANGE, len(_RANGE)):
        if len(found) == count:
            return found
        if _claim(port) and _is_free(port):
            found.append(port)
    raise RuntimeError("no free port from %d to %d" % (_RANGE[0], _RANGE[-1]))


def _claim(port: int) -> bool:
    """Claim a port by a socket name that the kernel frees when this process ends."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind("\0jhpatch's tests: %d" % port)
    except OSError:
        claim.close()
        return False
    _CLAIMS.append(claim)
    return True


def _is_free(port: int) -> bool:
    with contextlib.ExitStack() as stack:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            one = stack.enter_context(socket.socket(socket.AF_INET, kind))
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
