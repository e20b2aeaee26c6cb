"""System calls of a command: counted, and each of them made to kill it or to fail.

strace(1) counts the calls of each name apart (``when=N`` is the Nth ``openat``, not the
Nth call), and for each process apart. The signal comes as the call is entered: what was
killed at a call has not made it. With ``--seccomp-bpf`` strace 6.1 injects no signal and
says nothing, so each run here proves that its fault came about.
"""

import itertools
import re
import subprocess
import sys
from typing import List, NamedTuple, Optional

_CALL = re.compile(r"^(\d+) +([a-z_0-9]+)\(")
_QUIET = ["strace", "-f", "-qq", "--signal=none"]
_PATIENCE = 120  # seconds for one command
_MANY_FILES = re.compile("/_jhpatch_kerberos|/[.]jhpatch/originals")


class Point(NamedTuple):
    """A system call of a command: its name, and which of that name it is, from 1."""

    call: str
    number: int
    changes: bool
    """Whether it may change a disk or a lock: between two such, all kills are alike."""
    repeats: bool = False
    """Whether it is neither of the first two nor the last of its name in a row of calls on
    the files of an added package, or on the originals."""


class Ran(NamedTuple):
    """What came of a command: exit code or -signal, its output, whether the fault came."""

    code: int
    out: str
    talk: str
    struck: bool


def jhpatch(*arguments: str) -> List[str]:
    """The command as root should type it; -B, so that the first run makes no call more."""
    return [sys.executable, "-I", "-B", "-m", "jhpatch"] + list(arguments)


def points(command: List[str], log: str, since: Optional[str] = None) -> List[Point]:
    """Every system call of the command's own process but its execve, in order; from the
    first that names ``since`` on, where it is given.
    """
    done = subprocess.run(
        _QUIET + ["-o", log, "-y", "-s", "256"] + command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        timeout=_PATIENCE,
    )
    assert done.returncode in (0, 3), done.stderr.decode()
    found = []  # type: List[Point]
    places = []  # type: List[str]
    counts = {}
    own = begun = None
    with open(log, errors="surrogateescape") as lines:
        for line in lines:
            match = _CALL.match(line)
            if not match or own not in (None, match.group(1)):
                continue
            own, call = match.groups()
            counts[call] = counts.get(call, 0) + 1
            if call == "execve":
                continue  # the one before, whose arguments name all
            begun = begun or since is None or since in line
            if begun:
                found.append(Point(call, counts[call], _changes(call, line)))
                places.append("".join(_MANY_FILES.findall(line)[:1]))
    assert found, "strace saw no call"
    return _with_repeats(found, places)


def _with_repeats(every: List[Point], places: List[str]) -> List[Point]:
    """The calls, those marked that do to a directory's middle files what its first two had."""
    marked = list(every)
    changing = [index for index, point in enumerate(every) if point.changes]
    for place, indices in itertools.groupby(changing, lambda index: places[index]):
        row = list(indices) if place else []
        for call in {every[index].call for index in row}:
            for index in [index for index in row if every[index].call == call][2:-1]:
                marked[index] = every[index]._replace(repeats=True)
    return marked


def struck(command: List[str], point: Point, fault: str, log: str) -> Ran:
    """Runs the command with ``fault`` (``signal=KILL``, ``error=EIO``) at one call."""
    what = "%s:%s:when=%d" % (point.call, fault, point.number)
    done = subprocess.run(
        _QUIET + ["-o", log, "-e", "trace=" + point.call, "-e", "inject=" + what] + command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        cwd="/",
        timeout=_PATIENCE,
    )
    if fault.startswith("signal"):
        came = done.returncode in (-9, 137)
    else:
        with open(log, errors="surrogateescape") as lines:
            came = any("(INJECTED)" in line for line in lines)
    out, talk = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    return Ran(done.returncode, out, talk, came)


_CHANGING = frozenset(
    "write pwrite64 writev fsync fdatasync sync_file_range "
    "open openat openat2 creat mkdir mkdirat mknod mknodat "
    "rename renameat renameat2 link linkat symlink symlinkat unlink unlinkat rmdir "
    "chmod fchmod fchmodat chown fchown fchownat lchown "
    "truncate ftruncate setxattr fsetxattr lsetxattr removexattr fremovexattr "
    "flock exit_group".split()
)


# Not utimensat: whether a new file gets another time depends on the second in which it is made.


def _changes(call: str, line: str) -> bool:
    return call in _CHANGING and (not call.startswith("open") or "O_CREAT" in line)
