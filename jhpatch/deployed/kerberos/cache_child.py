"""The process that reads and stores a cache as its owner. store.py sends it orders.

A user's server runs this file as a program. In the hub, a child of the fork server
(fork_server.py) that has become the user runs the same code. It uses only the standard library.

The process creates a private directory (mode 0700, a random name) beside the cache, and writes
the new cache there, so that a rename replaces the old one. kinit receives a path relative to
that directory. The process removes the directory when it ends, also on SIGTERM. After SIGKILL,
a later process removes it.

It prints the cache in base64, or an empty line if it cannot read one, and reads orders:

    kinit, renew   run kinit, or kinit -R; print the new cache, or "!failed CODE"
    prepare        create the private directory, while another process runs kinit
    give BYTES     write the new cache: so many bytes follow
    keep           rename the new cache over the old one

It never uses a cache that another user owns. The rename replaces a symlink and does not follow
it (rename(2)). The lock is on the cache: others cannot open it, and a user who holds it delays
only their own tickets, for at most ``lock_wait`` seconds. The process refuses a directory of
another user, who could replace everything in it. It looks for stale directories only after the
ticket is stored, because others can fill /tmp with names.
"""

import binascii
import contextlib
import fcntl
import json
import os
import pwd
import shutil
import signal
import stat
import sys
import time
from typing import Any, Dict, List, Optional

SIZE_CAP = 1024 * 1024  # bytes of a cache; ccache.py has the same
CHANGED = 75  # the exit code if another process has replaced the cache since it was read
_REFUSED, _NO_DIRECTORY, _ENDED = 77, 78, 143
_STICKY = (b"/tmp", b"/var/tmp")  # other users cannot replace what a user creates there
_THEIRS = "lies in a directory of another user"
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_NEW = "cc"
"""The name of the new cache in the private directory."""


class Ended(Exception):
    """The process ends with this exit code, and a message on standard error."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(message)
        self.code = code


class CacheChild:
    """Obeys orders for one cache. ``options`` are those that ``Store`` sends, decoded."""

    def __init__(self, options: Dict[str, Any]) -> None:
        self._cache: bytes = options["cache"]
        self._klist: bytes = options["klist"]
        self._kinit: List[bytes] = options["kinit"]
        self._uid: int = options["uid"]
        self._lock_wait: float = options["lock_wait"]
        self._stale: float = options["stale"]
        self._orders = open(0, "rb", closefd=False)
        self._open = -1  # the descriptor of the cache that was read, and is locked
        self._was_there = self._is_inside = False
        self._private = b""

    def run(self) -> None:
        """Obey the orders until there are no more. Raises Ended, OSError."""
        if not self._cache:
            self._list()
        self._directory = os.path.dirname(self._cache)
        self._read()
        for line in self._orders:
            order = line.rstrip(b"\n")
            if not line.endswith(b"\n"):
                return  # the sender died in the middle of an order
            if order == b"keep":
                return self._keep()
            if not self._private:
                self._prepare()
            if order.startswith(b"give "):
                self._take(int(order[len(b"give ") :]))
            elif order in (b"kinit", b"renew"):
                self._obtain(order)
            elif order != b"prepare":
                raise Ended(_NO_DIRECTORY)

    def remove_private(self) -> None:
        """Remove the private directory, with the ticket that may be in it."""
        if self._is_inside:
            for name in os.listdir(b"."):
                _remove(name)
        os.chdir("/")
        if self._private:
            with contextlib.suppress(OSError):
                os.rmdir(self._private)
        self._private, self._is_inside = b"", False

    def _list(self) -> None:
        """Run klist, whose output the parent reads; read the path that it found there."""
        _run([self._klist], 1)
        _print(b"\n!\n")
        line = self._orders.readline()
        if not line.endswith(b"\n"):
            raise Ended(0)
        self._cache = line[:-1]

    def _read(self) -> None:
        self._was_there = os.path.exists(self._cache)
        data = b""
        with contextlib.suppress(OSError):
            fd = _opened(self._cache)
            status = os.fstat(fd)
            if stat.S_ISREG(status.st_mode) and status.st_uid == self._uid:
                self._open = fd
                with open(fd, "rb", closefd=False) as file:
                    data = file.read(SIZE_CAP + 1)
        _print(binascii.b2a_base64(data))

    def _prepare(self) -> None:
        """Lock the cache, and create the private directory. Raises Ended."""
        if not os.path.isdir(self._directory):
            os.mkdir(self._directory, 0o700)
        status = _status(self._cache)
        if status and not stat.S_ISLNK(status.st_mode):
            if not stat.S_ISREG(status.st_mode):
                raise self._refused("is not a regular file")
            if status.st_uid != self._uid:
                raise self._refused("belongs to %s" % _owner(status.st_uid))
            if not self._was_there:
                raise Ended(CHANGED)
            if self._open >= 0:
                self._lock()
        is_sticky = self._directory in _STICKY
        if not is_sticky and os.stat(self._directory).st_uid not in (self._uid, 0):
            raise self._refused(_THEIRS)
        name = b".jhpatch-cc-%d-%s" % (self._uid, binascii.hexlify(os.urandom(12)))
        self._private = os.path.join(self._directory, name)
        os.mkdir(self._private, 0o700)
        os.chdir(self._private)
        status = os.stat(".")
        is_private = (status.st_uid, stat.S_IMODE(status.st_mode) & 0o777) == (self._uid, 0o700)
        if not is_sticky and not is_private:
            self._private = b""
            raise self._refused("is in a directory that permits no private directory")
        self._is_inside = True

    def _lock(self) -> None:
        """Lock the cache that was read. Raises Ended if another file has replaced it."""
        end = time.monotonic() + self._lock_wait
        while True:
            try:
                fcntl.flock(self._open, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:  # after ``lock_wait``, go on without the lock
                if time.monotonic() >= end:
                    break
                time.sleep(0.02)
        status = _status(self._cache)
        if status is None or not os.path.samestat(status, os.fstat(self._open)):
            raise Ended(CHANGED)

    def _refused(self, why: str) -> Ended:
        return Ended(_REFUSED, "%s %s" % (os.fsdecode(self._cache), why))

    def _take(self, size: int) -> None:
        data = self._orders.read(size)
        if len(data) < size:
            raise Ended(0)
        _create(data)

    def _obtain(self, order: bytes) -> None:
        """Run kinit; print the new cache in base64, or kinit's exit code."""
        argv = self._kinit
        if order == b"renew":
            with open(self._cache, "rb") as file:
                _create(file.read(SIZE_CAP))
            argv = [argv[0], b"-c", b"FILE:cc", b"-R"]
        code = _run(argv, 2)
        if code:
            _print(b"!failed %d\n" % code)
            return
        data = b""
        with contextlib.suppress(OSError):
            with open(_NEW, "rb", opener=_opened) as file:
                data = file.read(SIZE_CAP + 1)
        _print(binascii.b2a_base64(data))

    def _keep(self) -> None:
        os.rename(_NEW, self._cache)
        self.remove_private()
        _print(b"kept\n")
        if self._stale:
            remove_stale(self._directory, self._uid, self._stale)


def remove_stale(directory: bytes, uid: int, seconds: float) -> None:
    """Remove a user's private directories that are older than some seconds."""
    prefix, limit = b".jhpatch-cc-%d-" % uid, time.time() - seconds
    with os.scandir(directory) as entries:  # any user can fill /tmp with names
        paths = [entry.path for entry in entries if entry.name.startswith(prefix)]
    for path in paths:
        status = _status(path)
        if status and status.st_uid == uid and status.st_mtime < limit:
            _remove(path)


def _run(argv: List[bytes], output: int) -> int:
    """Run a program with an empty input; return its exit code as a shell reports it.

    This does not use subprocess. That imports threading, which makes each fork of this process
    take three times as long, and on Python 3.6 its cleanup hides SystemExit.
    """
    try:
        pid = _spawn(argv, output)
    except OSError as error:
        os.write(output, os.fsencode("cannot run %s\n" % words(error, argv[0])))
        return 126
    _, status = os.waitpid(pid, 0)
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _spawn(argv: List[bytes], output: int) -> int:
    """Return the id of a new process, which does not ignore SIGPIPE. Raises OSError."""
    if hasattr(os, "posix_spawn"):  # Python 3.8; unlike fork, it copies no page tables
        actions: List[Any] = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
        actions += [(os.POSIX_SPAWN_DUP2, output, number) for number in (1, 2)]
        return os.posix_spawn(
            argv[0], argv, os.environ, file_actions=actions, setsigdef=[signal.SIGPIPE]
        )
    pid = os.fork()
    if pid:
        return pid
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number in (1, 2):
            os.dup2(output, number)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execve(argv[0], argv, os.environ)
    except OSError as error:
        os.write(2, os.fsencode("cannot run %s\n" % words(error, argv[0])))
    finally:
        os._exit(126)


def _remove(path: bytes) -> None:
    """Remove a file, or a directory with what is in it."""
    with contextlib.suppress(OSError):
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            return os.unlink(path)
        os.rmdir(path)
        return
    shutil.rmtree(path, ignore_errors=True)


def _opened(path: Any, flags: int = os.O_RDONLY) -> int:
    """Open a file of any type but a symlink, without waiting for a FIFO."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _status(path: bytes) -> Optional[os.stat_result]:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def _create(data: bytes) -> None:
    """Write the new cache, and replace one that kinit may have created."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_NEW)
    fd = os.open(_NEW, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        file.write(data)


def _print(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _owner(uid: int) -> str:
    try:
        return "%s (uid %d)" % (pwd.getpwuid(uid).pw_name, uid)
    except KeyError:
        return "uid %d" % uid


def words(error: OSError, path: Any = "") -> str:
    """Return an error's path and message; the error's own text differs between Pythons."""
    name = error.filename2 or error.filename or path
    text = os.strerror(error.errno or 0)
    return "%s: %s" % (os.fsdecode(name), text) if name else text


def run(options: Dict[str, Any]) -> int:
    """Obey the orders on standard input; return the exit code of the process."""
    for number in _SIGNALS:
        signal.signal(number, _end)
    os.umask(0o077)
    os.chdir("/")
    child = CacheChild(options)
    code, message = 0, ""
    try:
        child.run()
    except Ended as end:
        code, message = end.code, str(end)
    except (BrokenPipeError, SystemExit):
        code = _ENDED
    except OSError as error:
        code, message = 1, words(error)
    finally:
        try:
            ignore_signals()
        finally:
            child.remove_private()
    if message:
        with contextlib.suppress(OSError):
            os.write(2, os.fsencode(message + "\n"))
    return code


def _end(*what: Any) -> None:
    ignore_signals()
    raise SystemExit(_ENDED)


def ignore_signals() -> None:
    """Ignore the signals that would end the process."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def decoded(text: str) -> Dict[str, Any]:
    """Return options from JSON, which contains bytes as Latin-1 whatever the host's encoding."""
    return {
        name: _bytes(value) if isinstance(value, (str, list)) else value
        for name, value in json.loads(text).items()
    }


def _bytes(value: Any) -> Any:
    return value.encode("latin-1") if isinstance(value, str) else [_bytes(v) for v in value]


if __name__ == "__main__":
    sys.exit(run(decoded(sys.argv[1])))
