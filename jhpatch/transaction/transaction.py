"""Changes to the files of one site: all of them or none, even after a kill or a power cut.

::

    with locked(site) as transaction:      # flock, then recovery of a run that died
        ...                                # the caller plans
        transaction.commit(changes)

Why a kill at any time is safe. The saved originals and the journal are on the disk
(fsync of the file, rename, fsync of the directory) before the first temporary file is
created, and every temporary file is on the disk before the first rename. From the
first rename to the unlink of the journal, each file has either its old or its new
bytes. The journal names both, so the next run can restore the old ones. All renames
are on the disk before the unlink of the journal. The change is complete at the
sync of that unlink. An undo is idempotent: it skips a file that has its
old bytes already. If an undo is killed, the next run completes it.

The disk can still lose directory entries that a killed run has written, among them the
unlink of its journal. The next run therefore syncs them itself: the site that contains
.jhpatch, the directory of saved originals, and .jhpatch before it removes an original
that a restored journal would need. If nothing is left to do, it syncs that unlink
before it reports success (``sync_finished``).

The journal also names the directories that the change creates, before they are created,
and those that it removes. A directory is removed before the unlink of the journal; an undo
creates it again, with its mode and owner, and removes a new one if it is empty.

An undo changes a file only if the file has bytes that this journal names. Other bytes
were written later, by pip or by a person, and stay.

The existing file is never opened for writing, and its mode and times do not change: uv
and conda hardlink it into other environments.
"""

import _signal  # type: ignore[import-not-found]  # signal.py takes 1 ms to create its enums
import contextlib
import os
import time
from typing import Callable, Collection, Iterable, Iterator, List, Optional, Tuple

from jhpatch.errors import Failed, jhpatch_command
from jhpatch.system.rooted_files import RootDir
from jhpatch.transaction import directories, failures, preparation, staging, store
from jhpatch.transaction import journal as journals
from jhpatch.transaction.change import FileChange
from jhpatch.transaction.journal import Journal, Row
from jhpatch.transaction.lock import acquire
from jhpatch.transaction.recovery import Recovery, undo
from jhpatch.transaction.store import JOURNAL, STATE_DIR

_put = staging.rename_over  # tests inject faults here
_HELD_SIGNALS = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)
_GRACE = 0.1
"""Seconds between the last new file and the first removal. An import first searches for a module,
then opens the file that it has found: this file must still exist. A change that adds nothing does
not wait."""


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

    A run that has nothing to do calls it before it reports success. Raises Failed.
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
        transaction = Transaction(root, step, sleep)
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

    def __init__(
        self, root: RootDir, step: Step = _nothing, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.root = root
        self.recovery: Optional[Recovery] = None
        self.cleanup_error: Optional[Failed] = None
        self._step = step
        self._sleep = sleep
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
                "an earlier run was interrupted, and undoing it failed: %s"
                % (error.strerror or error),
                path=os.path.join(self.root.path, self._path or JOURNAL),
                next="run the same command again: it first undoes the interrupted run",
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

        Missing directories are created; one that ``changes`` leave empty is removed.
        ``originals`` are bytes that a later revert needs; ``keep`` are the SHA-256 of all
        saved originals that stay. ``rebuild`` receives the .pyc files that were removed
        (paths from the site's root). Raises Failed; the site is then as before, unless the
        message reports that the change was made.
        """
        changes = tuple(changes)
        journal = preparation.journal_of(self.root, changes, python)
        rows = journal.rows[: len(changes)]
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
                self._remove(journal)
                staging.sync_directories(self.root, rows + journal.directories, self._at)
                self._at("commit", JOURNAL)
                store.remove_journal(self.root)
            except BaseException as error:
                raise self._roll_back(error, journal, new_originals)
            self._finish(set(keep))
        if rebuild and dropped:
            # Without a .pyc, an import only takes some milliseconds more.
            with contextlib.suppress(Exception):
                rebuild(dropped)
        self._verify(rows)

    # Stage: originals, the journal, then every temporary file.

    def _stage(self, changes: Tuple[FileChange, ...], journal: Journal) -> None:
        self._at("journal", JOURNAL)
        store.write(self.root, JOURNAL, journals.dump(journal), self._step)
        for directory in journal.directories:
            if directory.is_new:
                self._at("create", directory.path)
                directories.make(self.root, directory)
        for change, row in zip(changes, journal.rows):
            if change.after is not None:
                self._at("stage", row.path)
                staging.write_temp(self.root, row, change.after)

    # Replace.

    def _replace(self, changes: Tuple[FileChange, ...], rows: Tuple[Row, ...]) -> None:
        adds = any(c.before is None and not c.path.startswith(STATE_DIR + "/") for c in changes)
        for change, row in zip(changes, rows):
            if adds and change.after is None:
                adds = False
                self._sleep(_GRACE)
            self._at("replace", row.path)
            directory, name = self.root.parent(row.path)
            with directory:
                content = directory.read(name)
                if (content and content.data) != change.before:
                    path = os.path.join(self.root.path, row.path)
                    raise failures.changed_meanwhile(path, change.before, content)
                _put(directory, name, row.temp if change.after is not None else None)

    def _remove(self, journal: Journal) -> None:
        for directory in reversed(journal.directories):
            if not directory.is_new:
                self._at("remove", directory.path)
                directories.remove(self.root, directory.path)

    def _finish(self, keep: Collection[str]) -> None:
        """Sync the journal's unlink, then remove the originals that are unneeded."""
        try:
            store.sync_journal(self.root, self._at)
        except OSError as error:
            raise failures.may_be_lost(self.root.path, error)
        self.prune(keep)

    def _verify(self, rows: Tuple[Row, ...]) -> None:
        """Read each file again: pip does not take this lock and may have changed one meanwhile."""
        for row in rows:
            path = os.path.join(self.root.path, row.path)
            try:
                digest = staging.hash_of(self.root, row.path)
            except OSError as error:
                raise Failed(
                    "the change was made, but this file could not be read again: %s"
                    % failures.message_of(error),
                    path=path,
                    next=jhpatch_command("status"),
                )
            if digest != row.after:
                raise Failed(
                    "the change was made, but another program has changed this file since",
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
                "%s; restoring the old files failed too: %s"
                % (failures.message_of(error), failures.message_of(undo_error)),
                path=path,
                next="run the same command again: it first undoes the interrupted run",
            )
        with contextlib.suppress(OSError):
            store.drop(self.root, new_originals, self._step)
        if isinstance(error, OSError):
            error = Failed(failures.message_of(error), path=path)
        return failures.unchanged(error) if isinstance(error, Failed) else error

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
