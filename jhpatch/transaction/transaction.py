"""Changes to the files of one site: all of them or none, also after a kill or a power cut.

::

    with locked(site) as transaction:      # flock, then recovery of a run that died
        ...                                # the caller plans
        transaction.commit(changes)

Why a kill at any time is safe. The saved originals and the journal are on the disk
(fsync of the file, rename, fsync of the directory) before the first temporary file is
created, and every temporary file is on the disk before the first rename. From the
first rename to the unlink of the journal, each file has either its old or its new
bytes. The journal names both, so the next run can restore the old ones. All renames
are on the disk before the unlink of the journal. The sync of that unlink is the moment
at which the change has happened. An undo is idempotent: it skips a file that has its
old bytes already. If an undo is killed, the next run completes it.

The disk can still lose directory entries that a killed run has written, among them the
unlink of its journal. The next run therefore syncs them itself: the site with .jhpatch
in it, the directory of saved originals, and .jhpatch before it removes an original
that a restored journal would need. If nothing is left to do, it syncs that unlink
before it reports success (``sync_finished``).

An undo changes a file only if the file has bytes that this journal names. Other bytes
were written since, by pip or by a person, and stay.

The existing file is never opened for writing, and its mode and times do not change: uv
and conda hardlink it into other environments.
"""

import _signal  # type: ignore[import-not-found]  # signal.py needs 1 ms, to create its enums
import contextlib
import os
import stat
import time
from typing import Callable, Collection, Iterable, Iterator, List, Optional, Tuple

from jhpatch.errors import Failed, jhpatch_command
from jhpatch.system.rooted_files import RootDir, is_relative
from jhpatch.system.sha256 import sha256
from jhpatch.transaction import failures, staging, store
from jhpatch.transaction import journal as journals
from jhpatch.transaction.change import FileChange
from jhpatch.transaction.journal import Journal, Row
from jhpatch.transaction.lock import acquire, not_writable
from jhpatch.transaction.recovery import Recovery, undo
from jhpatch.transaction.store import JOURNAL, STATE_DIR

_put = staging.rename_over  # tests inject faults here
_HELD_SIGNALS = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)


Step = Callable[[str], None]
Rebuild = Callable[[List[str]], None]


def _nothing(label: str) -> None:
    """Do nothing between two writes; tests inject faults here."""


def needs_clean_up(site: str, keep: Iterable[str]) -> bool:
    """Return whether a run that died has left files that this user can remove.

    ``keep`` as in ``Transaction.prune``.
    """
    try:
        with RootDir(site) as root, root.directory("") as site_dir:
            writable = os.access(
                STATE_DIR, os.W_OK | os.X_OK, dir_fd=site_dir.fd, effective_ids=True
            )
            return writable and store.needs_clean_up(root, set(keep))
    except OSError:
        return False


def sync_finished(site: str) -> None:
    """Sync .jhpatch, for an earlier run that was killed before its own sync.

    For a run that has nothing to do and reports success. Raises Failed.
    """
    try:
        with RootDir(site) as root:
            try:
                directory = root.directory(STATE_DIR)
            except FileNotFoundError:
                directory = root.directory("")  # a revert has removed it
            with directory:
                directory.sync()
    except (FileNotFoundError, PermissionError):
        pass  # no change was made here, or another user made it
    except OSError as error:
        raise failures.may_be_lost(site, error)


@contextlib.contextmanager
def locked(
    site: str,
    timeout: float = 10.0,
    step: Step = _nothing,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator["Transaction"]:
    """Lock ``site``, undo a run that died there, and clean up at the end.

    ``timeout`` is in seconds. Raises Locked after that time, Failed if the site cannot be
    written, Untrusted if a journal is damaged.
    """
    with _opened(site) as root:
        lock = acquire(root, clock() + timeout, clock, sleep)
        transaction = Transaction(root, step)
        try:
            transaction.recover()
            yield transaction
        finally:
            try:
                store.clean_up(root)
            except OSError as error:
                transaction.cleanup_error = failures.cleanup_failed(root.path, error)
            os.close(lock)


def _opened(site: str) -> RootDir:
    try:
        return RootDir(site)
    except OSError as error:
        raise Failed("cannot open the site: %s" % error.strerror, path=site)


class Transaction:
    """A locked site. ``recovery`` is the undo of an earlier run; usually None.

    ``cleanup_error`` is set if files in .jhpatch could not be removed at the end. The
    change of the site itself is then complete.
    """

    def __init__(self, root: RootDir, step: Step = _nothing) -> None:
        self.root = root
        self.recovery: Optional[Recovery] = None
        self.cleanup_error: Optional[Failed] = None
        self._step = step
        self._path = ""  # of the current step, for error messages

    def recover(self) -> None:
        """Undo a run that died. Raises Failed; Untrusted if the journal is damaged."""
        try:
            journal = store.journal_of(self.root)
            if journal is not None:
                with _signals_held():
                    self.recovery = undo(self.root, journal, self._at)
        except OSError as error:
            raise Failed(
                "a run had died here, and undoing it failed: %s" % (error.strerror or error),
                path=os.path.join(self.root.path, self._path or JOURNAL),
                next="run the same command again: it recovers first",
            )

    def prune(self, keep: Iterable[str]) -> None:
        """Remove the saved originals that are not in ``keep``; may set ``cleanup_error``."""
        try:
            store.prune(self.root, set(keep), self._step)
        except OSError as error:
            self.cleanup_error = failures.cleanup_failed(self.root.path, error)

    def commit(
        self,
        changes: Iterable[FileChange],
        python: Optional[str] = None,
        originals: Iterable[bytes] = (),
        keep: Iterable[str] = (),
        rebuild: Optional[Rebuild] = None,
    ) -> None:
        """Make all ``changes``, in their order, or none.

        ``originals`` are bytes that a later revert needs; ``keep`` are the SHA-256 of all
        saved originals that stay. ``rebuild`` receives the .pyc files that were removed
        (paths from the site's root). Raises Failed; the site is then as before, unless the
        message says that the change was made.
        """
        changes = tuple(changes)
        rows = self._rows(changes)
        journal = journals.of_this_process(python, rows + self._guards(rows))
        new_originals: List[str] = []  # removed again if this run fails
        with _signals_held():
            try:
                old = [change.before for change in changes if change.before is not None]
                self._at("save", store.ORIGINALS)
                for name in store.save_originals(self.root, old + list(originals), self._step):
                    new_originals.append(name)
                self._stage(changes, journal)
                self._replace(changes, rows)
                dropped = staging.drop_bytecode(self.root, rows, self._at)
                staging.sync_directories(self.root, rows, self._at)
                self._at("commit", JOURNAL)
                store.remove_journal(self.root)
            except BaseException as error:
                raise self._roll_back(error, journal, new_originals)
            self._finish(rows, set(keep))
        if rebuild and dropped:
            # Without a .pyc, an import takes some milliseconds more: no reason to fail.
            with contextlib.suppress(Exception):
                rebuild(dropped)
        self._verify(rows)

    # Before the first write.

    def _rows(self, changes: Tuple[FileChange, ...]) -> Tuple[Row, ...]:
        paths = [change.path for change in changes]
        if len(set(paths)) != len(paths) or not all(map(is_relative, paths)):
            raise Failed("a plan that names a file twice, or one outside of the site")
        token = os.urandom(8).hex()
        return tuple(
            self._row(change, ".jhpatch-%s-%d" % (token, number))
            for number, change in enumerate(changes)
        )

    def _row(self, change: FileChange, temp: str) -> Row:
        path = os.path.join(self.root.path, change.path)
        try:
            if change.path.startswith(STATE_DIR + "/"):
                store.make_directories(self.root, change.path)
            directory, name = self.root.parent(change.path)
            with directory:
                content = directory.read(name)
                if (content and content.data) != change.before:
                    raise failures.changed_meanwhile(path, change.before, content)
                status = os.fstat(directory.fd)
                if not os.access(".", os.W_OK | os.X_OK, dir_fd=directory.fd, effective_ids=True):
                    raise not_writable(path, status)
        except OSError as error:
            raise Failed("cannot change a file: %s" % error.strerror, path=path)
        if content:
            status = content.stat
        mode = stat.S_IMODE(status.st_mode) if content else 0o644
        before, after = _sha256(change.before), _sha256(change.after)
        return Row(
            change.path, before, after, temp, mode, status.st_uid, status.st_gid, change.guard
        )

    def _guards(self, rows: Tuple[Row, ...]) -> Tuple[Row, ...]:
        """Return rows, without a change, for the guards that are not among ``rows``."""
        paths = {row.guard for row in rows if row.guard} - {row.path for row in rows}
        hashes = [(path, staging.hash_of(self.root, path)) for path in sorted(paths)]
        temp = rows[0].temp if rows else ""
        return tuple(Row(p, h, h, temp, 0, 0, 0, None) for p, h in hashes if h)

    # Stage: originals, the journal, then every temporary file.

    def _stage(self, changes: Tuple[FileChange, ...], journal: Journal) -> None:
        self._at("journal", JOURNAL)
        store.write(self.root, JOURNAL, journals.dump(journal), self._step)
        for change, row in zip(changes, journal.rows):
            if change.after is not None:
                self._at("stage", row.path)
                staging.write_temp(self.root, row, change.after)

    # Replace.

    def _replace(self, changes: Tuple[FileChange, ...], rows: Tuple[Row, ...]) -> None:
        for change, row in zip(changes, rows):
            self._at("replace", row.path)
            directory, name = self.root.parent(row.path)
            with directory:
                content = directory.read(name)
                if (content and content.data) != change.before:
                    path = os.path.join(self.root.path, row.path)
                    raise failures.changed_meanwhile(path, change.before, content)
                _put(directory, name, row.temp if change.after is not None else None)

    def _finish(self, rows: Tuple[Row, ...], keep: Collection[str]) -> None:
        """Sync the journal's unlink, then remove originals and directories that are unneeded."""
        try:
            store.sync_journal(self.root, self._at)
        except OSError as error:
            raise failures.may_be_lost(self.root.path, error)
        self.prune(keep)
        # conda and dpkg leave a directory if it contains a helper that they do not know.
        with contextlib.suppress(OSError):
            staging.remove_empty_directories(self.root, (r.path for r in rows if r.after is None))

    def _verify(self, rows: Tuple[Row, ...]) -> None:
        """Read each file again: pip takes no lock of ours and may have changed one meanwhile."""
        for row in rows:
            path = os.path.join(self.root.path, row.path)
            try:
                digest = staging.hash_of(self.root, row.path)
            except OSError as error:
                raise Failed(
                    "the change was made, but could not be read again: %s"
                    % failures.message_of(error),
                    path=path,
                    next=jhpatch_command("status"),
                )
            if digest != row.after:
                raise Failed(
                    "the change was made, and something else has changed this file since",
                    path=path,
                    expected=failures.shown(row.after),
                    found=failures.shown(digest),
                    next=jhpatch_command("status"),
                )

    # Undo.

    def _roll_back(
        self, error: BaseException, journal: Journal, new_originals: Iterable[str]
    ) -> BaseException:
        """Undo the change, and return the error to raise."""
        path = os.path.join(self.root.path, self._path)
        try:
            undo(self.root, journal, self._at)
        except Exception as undo_error:
            return Failed(
                "%s; putting the old files back failed too: %s"
                % (failures.message_of(error), failures.message_of(undo_error)),
                path=path,
                next="run the same command again: it recovers first",
            )
        with contextlib.suppress(OSError):
            store.drop(self.root, new_originals, self._step)
        if isinstance(error, OSError):
            return Failed("%s; nothing was changed" % failures.message_of(error), path=path)
        return error

    def _at(self, step: str, path: str) -> None:
        """Record the current step, for error messages and for the faults of tests."""
        self._path = path
        self._step("%s %s" % (step, path))


# Single steps.


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Block SIGINT, SIGTERM and SIGHUP until the site is consistent again."""
    old = _signal.pthread_sigmask(_signal.SIG_BLOCK, _HELD_SIGNALS)
    try:
        yield
    finally:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, old)


def _sha256(data: Optional[bytes]) -> Optional[str]:
    return None if data is None else sha256(data)
