"""What a command asks of the disk, recorded from outside by strace(1).

From outside, since a recorder inside the process sees only the calls that it wraps. Every
call that names the site must be one that is known here, to read or to change: any other
fails the recording.
"""

import os
import re
import subprocess
import sys
from typing import Iterator, List, Optional

from integration.faults.disk import Op
from testing import ROOT

_READS = frozenset(
    "access close dup execve faccessat2 fcntl fgetxattr flistxattr flock fstat getcwd "
    "getdents64 ioctl lseek newfstatat read readlink statfs".split()
)
# Calls by the thousand that cannot change a file.
_UNSEEN = "read,pread64,newfstatat,fstat,lseek,getdents64,rt_sigaction,munmap,brk"
_CALL = re.compile(r"\d+ +(\w+)\((.*)\) += (.*)$")
_PATH = re.compile(r"(?:AT_FDCWD|\d+)<(.*)>$")
# The checkout's jhpatch, as the recovery in this process is; else as ``python -I -m jhpatch``.
# With -B, since a ``__pycache__`` of that umask in the checkout would be in others' way.
_RUN = (
    "import runpy, sys; sys.path.insert(0, %r); runpy.run_module('jhpatch', run_name='__main__')"
)


def recorded(command: str, site: str, log: str, umask: int, *options: str) -> List[Op]:
    """The operations of ``jhpatch command --site site``, which must end with 0."""
    done = subprocess.run(
        ["sh", "-c", 'umask %o; exec "$@"' % umask, "sh"]
        # -y: the path of each descriptor; -xx: nothing in a path or in data needs a parser.
        + ["strace", "-f", "--seccomp-bpf", "-qq", "-y", "-xx", "-s", "16777216"]
        + ["-o", log, "-e", "trace=!" + _UNSEEN]
        + [
            sys.executable,
            "-I",
            "-B",
            "-c",
            _RUN % ROOT,
            command,
            "--json",
            "--site",
            site,
            *options,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        timeout=300,
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return list(_parsed(log, site))


def _parsed(log: str, site: str) -> Iterator[Op]:
    named = "".join("\\x%02x" % byte for byte in os.fsencode(site))
    with open(log) as lines:
        for line in lines:
            if named not in line:
                continue
            match = _CALL.match(line)
            assert match, "a line of strace that cannot be read: " + line[:200]
            call, arguments, result = match.groups()
            if call in _READS or result.startswith(("-1 ", "?")):
                continue
            op = _op(call, arguments.split(", "), result)
            if op is not None and op.path != site:
                op = _below(op, site)
            elif op is not None:
                op = op._replace(path="")
            if op is not None:
                yield op


def _below(op: Op, site: str) -> Optional[Op]:
    """The operation with paths from the site's root; None for one of elsewhere."""
    if not op.path.startswith(site + "/"):
        return None  # such as the result, which names the site, on standard output
    start = len(site) + 1
    return op._replace(path=op.path[start:], new=op.new[start:])


def _op(call: str, said: List[str], result: str) -> Optional[Op]:
    """What a call that succeeded changes; None for one that only reads."""
    if call == "openat":
        flags = set(said[2].split("|"))
        if "O_RDONLY" in flags and not flags & {"O_CREAT", "O_TRUNC"}:
            return None
        assert "O_CREAT" in flags and not flags & {"O_TRUNC", "O_APPEND"}, said
        return Op("create", _at(said[0], said[1]), mode=int(said[3], 8))
    if call == "write":
        data = _bytes(said[1])
        assert len(data) == int(said[2]), "a write that strace cut short"
        return Op("write", _open(said[0]), data=data[: int(result)])
    if call in ("fsync", "fdatasync"):
        return Op("sync", _open(said[0]))
    if call == "fchmod":
        return Op("mode", _open(said[0]), mode=int(said[1], 8))
    if call == "mkdirat":
        return Op("mkdir", _at(said[0], said[1]), mode=int(said[2], 8))
    if call == "renameat":
        return Op("rename", _at(said[0], said[1]), new=_at(said[2], said[3]))
    if call == "unlinkat":
        kind = "rmdir" if "AT_REMOVEDIR" in said[2] else "unlink"
        return Op(kind, _at(said[0], said[1]))
    if call == "utimensat":
        return None  # times are no part of the model
    raise AssertionError("a call on the site that the model does not know: %s%s" % (call, said))


def _at(folder: str, name: str) -> str:
    return os.path.join(_open(folder), os.fsdecode(_bytes(name)))


def _open(said: str) -> str:
    match = _PATH.match(said)
    assert match, said
    return os.fsdecode(_bytes(match.group(1)))


def _bytes(said: str) -> bytes:
    """``"\\x2f\\x74"``, with or without its quotes, as bytes."""
    return bytes.fromhex(said.strip('"').replace("\\x", ""))
