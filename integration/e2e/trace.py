"""What a process and its children did to which paths, and as whom (strace(1))."""

import os
import re
import shutil
import signal
import subprocess
import time
from typing import Dict, Iterator, List, Match, NamedTuple, Tuple

# What opens a file, or changes one by its name or descriptor; and what makes a process and
# says who it is.
_TOUCH = (
    "open openat openat2 creat truncate mkdir mkdirat mknod mknodat link linkat symlink symlinkat "
    "rename renameat renameat2 unlink unlinkat rmdir chmod fchmod fchmodat chown fchown lchown "
    "fchownat setxattr lsetxattr fsetxattr"
).split()
_BIRTH = "fork vfork clone clone3".split()
_IDENTITY = "setuid setreuid setresuid setfsuid".split()

_LINE = re.compile(r"^(\d+) +(.*)$")
_CALL = re.compile(r"^(\w+)\((.*)\) += (-?\d+|\?)")
_PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"|\d+<(/[^>]*)>')


class Touch(NamedTuple):
    """A call that names a file: by whom (effective uid), which call, on which path."""

    uid: int
    call: str
    path: str


def missing() -> str:
    """What this machine lacks; empty where it lacks nothing."""
    return "" if shutil.which("strace") else "strace"


def _fork_servers(pid: int) -> List[int]:
    """The children of a hub that fork what becomes a user."""
    found = []
    for name in os.listdir("/proc"):
        try:
            with open("/proc/%s/stat" % name) as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
            with open("/proc/%s/cmdline" % name) as file:
                if parent == pid and "fork_server.py" in file.read():
                    found.append(int(name))
        except (OSError, ValueError):  # no process, or none any more
            continue
    return found


class Trace:
    """Follows a hub and all that it starts, and its fork server, until it is stopped."""

    def __init__(self, pid: int, path: str) -> None:
        self._path = path
        pids = [pid, *_fork_servers(pid)]
        argv = ["strace", "-f", "-y", "-s", "1000", "-o", path]
        for number in pids:
            argv += ["-p", str(number)]
        known = [name for name in _TOUCH + _BIRTH + _IDENTITY]
        argv += ["-e", "trace=" + ",".join("?" + name for name in known), "-e", "signal=none"]
        self._child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 180
        while not all(map(_is_traced, pids)):
            assert self._child.poll() is None and time.monotonic() < deadline, "strace fails"
            time.sleep(0.05)

    def stop(self) -> None:
        """The process goes on, untraced."""
        self._child.send_signal(signal.SIGINT)
        self._child.communicate()

    def mark(self) -> int:
        """Where the trace is now."""
        return os.path.getsize(self._path)

    def touches(self, since: int = 0) -> List[Touch]:
        """What was touched from a mark on."""
        with open(self._path, errors="replace") as file:
            before = file.read(since)
            lines = before.splitlines() + [""] + file.read().splitlines()
        return list(_touches(lines, len(before.splitlines())))


def _is_traced(pid: int) -> bool:
    """Whether all its threads are."""
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/status" % (pid, task)) as file:
            if "TracerPid:\t0\n" in file.read():
                return False
    return True


def _touches(lines: List[str], first: int) -> Iterator[Touch]:
    parents = _parents(lines)
    uids: Dict[int, int] = {}
    pending: Dict[int, str] = {}
    for number, line in enumerate(lines):
        match = _LINE.match(line)
        if not match:
            continue
        pid, text = int(match.group(1)), match.group(2)
        if pid not in uids:
            uids[pid] = uids.get(parents.get(pid, 0), 0)
        if text.endswith("<unfinished ...>"):
            pending[pid] = text[: -len("<unfinished ...>")]
            text = pending[pid] + ") = ?"  # it may never return: what it names counts now
        elif text.startswith("<... "):
            text = pending.pop(pid, "") + text.partition("resumed>")[2]
            if not _is_identity(text):
                continue
        call = _CALL.match(text)
        if call and call.group(1) in _IDENTITY:
            uids[pid] = _identity(call, uids[pid])
        elif call and call.group(1) in _TOUCH and number >= first:
            for path in _paths(call.group(2)):
                yield Touch(uids[pid], call.group(1), path)


def _parents(lines: List[str]) -> Dict[int, int]:
    """The parent of each process that was born: a child may speak before its parent does."""
    found = {}
    for line in lines:
        match = re.match(r"^(\d+) +(?:<\.\.\. )?(?:%s)\b.*= (\d+)" % "|".join(_BIRTH), line)
        if match:
            found[int(match.group(2))] = int(match.group(1))
    return found


def _is_identity(text: str) -> bool:
    return text.partition("(")[0] in _IDENTITY


def _identity(call: Match[str], uid: int) -> int:
    """The effective uid after a call of the set*uid family."""
    if call.group(3) not in ("0",) and call.group(1) != "setfsuid":
        return uid
    given = [int(word) for word in call.group(2).split(", ")]
    new = given[1] if len(given) > 1 else given[0]
    return uid if new == -1 else new


def _paths(arguments: str) -> Iterator[str]:
    for folder, name, descriptor in _PATH.findall(arguments):
        path = descriptor or os.path.join(folder or "/", name)
        yield os.path.normpath(path)


def below(path: str, folders: Tuple[str, ...]) -> bool:
    """Whether a path is one of these, or in one of them."""
    return any(path == folder or path.startswith(folder + "/") for folder in folders)
