"""Changes to the files of one site: all of them, or none, whatever happens.

::

    with locked(site) as transaction:      # flock, then recovery of a run that died
        ...                                # the caller plans
        transaction.commit(changes)

Why a kill at any instant does no harm. The saved originals and the journal are on
the disk (fsync of the file, rename, fsync of the folder) before the first
temporary file is made, and every temporary file is on the disk before the first
rename. From the first rename to the unlink of the journal each file holds either
its old or its new bytes, both named in the journal, so the next run can put the
old ones back. All renames are on the disk before the journal goes, and that
unlink, made to last, is the one moment at which the change has happened. Undoing
is idempotent: a file that holds its old bytes already is left alone, so a kill in
the middle of an undo is undone by the next.

An undo acts on a file only where the file holds bytes that this journal made.
Anything else was put there since, by pip or by a person, and stays.

The existing file is never opened for writing, nor is its mode or time changed: uv
and conda hardlink it into other environments.
"""

import contextlib
import errno
import hashlib
import os
import re
import signal
import stat
import time
from typing import Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

from jhpatch import journal as journals
from jhpatch.beneath import Folder, Found, NotPlain, Root, is_relative
from jhpatch.errors import Failed, JhpatchError
from jhpatch.journal import Journal, Row
from jhpatch.lock import acquire, not_writable, tidy
from jhpatch.saved import FOLDER, JOURNAL, ORIGINALS, journal_of, original

_HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class FileChange(NamedTuple):
    """A file's bytes now and as they shall be; None means no file.

    ``guard`` is a file of the same distribution that is put back only together with
    this one: where its bytes are neither of those that we knew, the distribution is
    no longer the one that this file belonged to.
    """

    path: str
    before: Optional[bytes]
    after: Optional[bytes]
    guard: Optional[str] = None


class Recovery(NamedTuple):
    """What a recovery put back, and what it left because somebody else had been there."""

    restored: Tuple[str, ...]
    foreign: Tuple[str, ...]


Step = Callable[[str], None]
Rebuild = Callable[[List[str]], None]


def _nothing(label: str) -> None:
    """The step between two writes, where a test makes its faults."""


@contextlib.contextmanager
def locked(
    site: str,
    timeout: float = 10.0,
    step: Step = _nothing,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator["Transaction"]:
    """Locks ``site``, recovers it if a run died there, and tidies up behind.

    ``timeout`` is in seconds. Raises Locked after that time, Failed where the site
    cannot be written, Untrusted where a journal cannot be believed.
    """
    with Root(site) as root:
        lock = acquire(root, clock() + timeout, clock, sleep)
        try:
            transaction = Transaction(root, step)
            transaction.recover()
            yield transaction
        finally:
            with contextlib.suppress(OSError):
                tidy(root)
            os.close(lock)


class Transaction:
    """A locked site. ``recovery`` tells what an earlier run had left; usually None."""

    def __init__(self, root: Root, step: Step = _nothing) -> None:
        self.root = root
        self.recovery: Optional[Recovery] = None
        self._step = step

    def recover(self) -> None:
        """Undoes a run that died. Raises Untrusted where the journal cannot be believed."""
        journal = journal_of(self.root)
        if journal is not None:
            with _signals_held():
                self.recovery = self._undo(journal)

    def commit(
        self,
        changes: Iterable[FileChange],
        python: Optional[str] = None,
        originals: Iterable[bytes] = (),
        keep: Iterable[str] = (),
        rebuild: Optional[Rebuild] = None,
    ) -> None:
        """Makes all ``changes``, in their order, or none.

        ``originals`` are bytes that a later revert needs; ``keep`` names all saved
        originals that stay behind for it, by SHA-256;
        ``rebuild`` gets the .pyc files (paths from the site's root) that were dropped.
        Raises Failed; the site is then exactly as before unless the message says that
        the change was made and something else changed it since.
        """
        changes = tuple(changes)
        rows = self._rows(changes)
        journal = journals.of_this_process(python, rows)
        with _signals_held():
            try:
                self._save_originals(changes, originals)
                self._stage(changes, journal)
                self._replace(changes, rows)
                dropped = self._drop_bytecode(row.path for row in rows)
                self._sync(rows)
            except (OSError, JhpatchError) as error:
                raise self._rolled_back(error, journal)
            self._rebuild(rebuild, dropped)
            self._step("commit")
            self._unlink_journal()
            self._prune(set(keep))
        self._verify(rows)

    # Before the first write.

    def _rows(self, changes: Tuple[FileChange, ...]) -> Tuple[Row, ...]:
        token = os.urandom(8).hex()
        paths = [change.path for change in changes]
        if len(set(paths)) != len(paths) or not all(map(is_relative, paths)):
            raise Failed("a plan that names a file twice, or one outside of the site")
        return tuple(
            self._row(change, ".jhpatch-%s-%d" % (token, number))
            for number, change in enumerate(changes)
        )

    def _row(self, change: FileChange, temp: str) -> Row:
        path = os.path.join(self.root.path, change.path)
        try:
            if change.path.startswith(FOLDER + "/"):
                self._make_folders(change.path)
            folder, name = self.root.parent(change.path)
            with folder:
                found = folder.read(name)
                if (found and found.data) != change.before:
                    raise _changed_meanwhile(path, change.before, found)
                if not os.access(".", os.W_OK | os.X_OK, dir_fd=folder.fd, effective_ids=True):
                    raise not_writable(path, os.fstat(folder.fd))
                like = found.stat if found else os.fstat(folder.fd)
        except OSError as error:
            raise Failed("cannot change a file: %s" % error.strerror, path=path)
        mode = stat.S_IMODE(like.st_mode) if found else 0o644
        before, after = _sha256(change.before), _sha256(change.after)
        return Row(change.path, before, after, temp, mode, like.st_uid, like.st_gid, change.guard)

    def _make_folders(self, path: str) -> None:
        """Folders within .jhpatch, the only ones that are ever made."""
        parts = path.split("/")[:-1]
        for depth in range(2, len(parts) + 1):
            self._mkdir("/".join(parts[:depth]))

    def _mkdir(self, path: str) -> None:
        folder, name = self.root.parent(path)
        with folder:
            if folder.lstat(name) is None:
                os.mkdir(name, 0o755, dir_fd=folder.fd)
                with self.root.folder(path) as made:
                    os.fchmod(made.fd, 0o755)
                folder.sync()

    # Stage: originals, the journal, then every temporary file.

    def _save_originals(self, changes: Tuple[FileChange, ...], others: Iterable[bytes]) -> None:
        self._mkdir(ORIGINALS)
        for data in [change.before for change in changes] + list(others):
            if data is not None:
                self._step("original")
                self._save_original(data)

    def _stage(self, changes: Tuple[FileChange, ...], journal: Journal) -> None:
        self._step("journal")
        self._write_whole(JOURNAL, journals.dump(journal))
        for change, row in zip(changes, journal.rows):
            if change.after is not None:
                self._step("stage " + change.path)
                self._write_temp(row, change.after)

    def _save_original(self, data: bytes) -> None:
        path = "%s/%s" % (ORIGINALS, hashlib.sha256(data).hexdigest())
        found = self.root.read(path)
        if found is None or found.data != data:
            self._write_whole(path, data)

    def _write_whole(self, path: str, data: bytes) -> None:
        """A file of our own in .jhpatch, replaced at once and made to last."""
        folder, name = self.root.parent(path)
        with folder:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name + ".new", dir_fd=folder.fd)
            fd = _create(folder, name + ".new")
            with contextlib.closing(_Descriptor(fd)):
                _write_all(fd, data)
                os.fchmod(fd, 0o644)
                os.fsync(fd)
            self._step("rename " + path)
            os.replace(name + ".new", name, src_dir_fd=folder.fd, dst_dir_fd=folder.fd)
            folder.sync()

    def _write_temp(self, row: Row, data: bytes) -> None:
        """The new bytes beside their target, with the target's owner, mode and attributes."""
        folder, name = self.root.parent(row.path)
        with folder:
            old = folder.lstat(name)
            fd = _create(folder, row.temp)
            with contextlib.closing(_Descriptor(fd)):
                _write_all(fd, data)
                made = os.fstat(fd)
                if (made.st_uid, made.st_gid) != (row.uid, row.gid):
                    _chown(fd, row)
                if old is not None:
                    _copy_attributes(folder, name, fd)
                os.fchmod(fd, row.mode)
                if old is not None and int(made.st_mtime) == int(old.st_mtime):
                    # Python takes a .pyc for fresh by size and whole second of the source.
                    later = made.st_mtime_ns + 1000000000
                    os.utime(fd, ns=(later, later))
                os.fsync(fd)

    # Replace.

    def _replace(self, changes: Tuple[FileChange, ...], rows: Tuple[Row, ...]) -> None:
        for change, row in zip(changes, rows):
            self._step("replace " + row.path)
            folder, name = self.root.parent(row.path)
            with folder:
                found = folder.read(name)
                if (found and found.data) != change.before:
                    path = os.path.join(self.root.path, row.path)
                    raise _changed_meanwhile(path, change.before, found)
                _put(folder, name, row.temp if change.after is not None else None)

    def _drop_bytecode(self, paths: Iterable[str]) -> List[str]:
        """Drops every .pyc of the modules, of every interpreter; says which there were."""
        dropped: List[str] = []
        for path in paths:
            above, _, name = path.rpartition("/")
            if name.endswith(".py"):
                self._step("bytecode " + path)
                for folder, prefix in ((above + "/__pycache__", name[:-2]), (above, name + "c")):
                    dropped += self._drop_in(folder, prefix)
        return dropped

    def _drop_in(self, path: str, prefix: str) -> List[str]:
        try:
            folder = self.root.folder(path)
        except OSError:
            return []
        with folder:
            names = [n for n in folder.names() if n.startswith(prefix) and n.endswith(".pyc")]
            for name in names:
                with contextlib.suppress(FileNotFoundError, IsADirectoryError):
                    os.unlink(name, dir_fd=folder.fd)
        return ["%s/%s" % (path, name) for name in names]

    def _rebuild(self, rebuild: Optional[Rebuild], dropped: List[str]) -> None:
        if rebuild and dropped:
            # A missing .pyc costs a reader milliseconds; it is no reason to undo.
            with contextlib.suppress(OSError, ValueError):
                rebuild(dropped)

    def _sync(self, rows: Iterable[Row]) -> None:
        for path in sorted({row.path.rpartition("/")[0] for row in rows}):
            self._step("sync " + path)
            with contextlib.suppress(FileNotFoundError), self.root.folder(path) as folder:
                folder.sync()

    def _unlink_journal(self) -> None:
        with self.root.folder(FOLDER) as folder:
            with contextlib.suppress(FileNotFoundError):
                os.unlink("journal.json", dir_fd=folder.fd)
            folder.sync()

    def _prune(self, keep: Set[str]) -> None:
        """Originals that no revert will ask for."""
        with contextlib.suppress(OSError), self.root.folder(ORIGINALS) as folder:
            for name in folder.names():
                if name not in keep:
                    self._step("prune " + name)
                    os.unlink(name, dir_fd=folder.fd)

    def _verify(self, rows: Tuple[Row, ...]) -> None:
        """pip takes no lock of ours: what it did meanwhile must not pass for success."""
        for row in rows:
            path = os.path.join(self.root.path, row.path)
            if self._hash(row.path) != row.after:
                raise Failed(
                    "the change was made, and something else has changed this file since",
                    path=path,
                    expected=_shown(row.after),
                    found="other bytes",
                    next="python -m jhpatch status",
                )

    # Undo.

    def _rolled_back(self, error: Exception, journal: Journal) -> JhpatchError:
        """The error to raise, after everything was put back."""
        try:
            self._undo(journal)
        except (OSError, JhpatchError) as second:
            return Failed(
                "%s; putting the old files back failed too: %s" % (error, second),
                path=self.root.path,
                next="run the same command again: it recovers first",
            )
        if isinstance(error, JhpatchError):
            return error
        assert isinstance(error, OSError)
        path = error.filename if isinstance(error.filename, str) else self.root.path
        return Failed(
            "%s; nothing was changed" % (error.strerror or error),
            path=os.path.join(self.root.path, path),
        )

    def _undo(self, journal: Journal) -> Recovery:
        originals = self._needed_originals(journal.rows)
        known = {row.path: (row.before, row.after) for row in journal.rows}
        restored: List[str] = []
        foreign: List[str] = []
        for row in reversed(journal.rows):
            self._step("undo " + row.path)
            found = self._hash(row.path)
            if found == row.before:
                continue
            if found != row.after or not self._is_guarded(row, known):
                foreign.append(row.path)
                continue
            self._drop_temp(row)
            self._restore(row, originals)
            restored.append(row.path)
        for row in journal.rows:
            self._drop_temp(row)
        self._drop_bytecode(row.path for row in journal.rows)
        self._sync(journal.rows)
        self._step("undone")
        self._unlink_journal()
        return Recovery(tuple(restored), tuple(foreign))

    def _needed_originals(self, rows: Iterable[Row]) -> Dict[str, bytes]:
        """What an undo will write, read and proved before its first write."""
        needed: Dict[str, bytes] = {}
        for row in rows:
            if row.before is not None and self._hash(row.path) == row.after:
                needed[row.before] = original(self.root, row.before)
        return needed

    def _is_guarded(self, row: Row, known: Dict[str, Tuple[Optional[str], Optional[str]]]) -> bool:
        """Whether a missing file is missing by our hand: its distribution is as we knew it."""
        if row.after is not None or row.guard is None:
            return True
        return self._hash(row.guard) in known.get(row.guard, ())

    def _restore(self, row: Row, originals: Dict[str, bytes]) -> None:
        if row.before is not None:
            self._write_temp(row, originals[row.before])
        folder, name = self.root.parent(row.path)
        with folder:
            self._step("restore " + row.path)
            _put(folder, name, row.temp if row.before is not None else None)

    def _drop_temp(self, row: Row) -> None:
        with contextlib.suppress(FileNotFoundError, NotPlain):
            folder, _ = self.root.parent(row.path)
            with folder:
                os.unlink(row.temp, dir_fd=folder.fd)

    def _hash(self, path: str) -> Optional[str]:
        """The SHA-256 of a file; None for none, "" for what is no plain file."""
        try:
            found = self.root.read(path)
        except NotPlain:
            return ""
        return None if found is None else _sha256(found.data)


# Single steps on files.


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Ctrl-C, a closed terminal and a polite kill wait until the site is whole again."""
    old = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


class _Descriptor:
    """A file descriptor that contextlib.closing can close."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def close(self) -> None:
        os.close(self._fd)


def _create(folder: Folder, name: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, 0o600, dir_fd=folder.fd)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _put(folder: Folder, name: str, temp: Optional[str]) -> None:
    """Renames ``temp`` over ``name``; without one, takes ``name`` away."""
    if temp is None:
        os.unlink(name, dir_fd=folder.fd)
    else:
        os.replace(temp, name, src_dir_fd=folder.fd, dst_dir_fd=folder.fd)


def _chown(fd: int, row: Row) -> None:
    try:
        os.fchown(fd, row.uid, row.gid)
    except PermissionError:
        # A new file of one's own may have one's own group; another's file must keep its owner.
        if row.uid != os.geteuid() or row.before is not None:
            raise


def _copy_attributes(folder: Folder, name: str, fd: int) -> None:
    """Extended attributes; POSIX ACLs are among them (system.posix_acl_access, acl(5))."""
    source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder.fd)
    with contextlib.closing(_Descriptor(source)):
        try:
            attributes = os.listxattr(source)
        except OSError as error:
            if error.errno == errno.ENOTSUP:
                return
            raise
        for attribute in attributes:
            try:
                os.setxattr(fd, attribute, os.getxattr(source, attribute))
            except PermissionError:
                if not re.match(r"^(security|trusted)\.", attribute):
                    raise


def _changed_meanwhile(path: str, before: Optional[bytes], found: Optional[Found]) -> Failed:
    return Failed(
        "a file has changed since it was looked at; nothing was changed",
        path=path,
        expected=_shown(_sha256(before)),
        found=_shown(_sha256(found.data) if found else None),
        next="run the same command again",
    )


def _shown(sha256: Optional[str]) -> str:
    return "no file" if sha256 is None else "sha256:" + sha256


def _sha256(data: Optional[bytes]) -> Optional[str]:
    return None if data is None else hashlib.sha256(data).hexdigest()
