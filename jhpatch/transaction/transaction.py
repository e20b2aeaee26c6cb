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

A run that was killed has left names that the disk may still lose, its journal's unlink
among them. The next builds on none of them: it fsyncs the site above .jhpatch as if it
had made it, each folder of saved originals again, and .jhpatch itself before it takes
away an original that a journal which came back would need. Where all is done already it
makes that unlink last, before anybody says so (``sync_finished``).

An undo acts on a file only where the file holds bytes that this journal made.
Anything else was put there since, by pip or by a person, and stays.

The existing file is never opened for writing, nor is its mode or time changed: uv
and conda hardlink it into other environments.
"""

import _signal  # type: ignore[import-not-found]  # signal.py makes enums of it, for a millisecond
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

_put = staging.put  # where a test makes its faults
_HELD = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)


Step = Callable[[str], None]
Rebuild = Callable[[List[str]], None]


def _nothing(label: str) -> None:
    """The step between two writes, where a test makes its faults."""


def needs_clean_up(site: str, keep: Iterable[str]) -> bool:
    """Whether a run that died has left something to take away, and we may take it away.

    ``keep``: as in ``Transaction.prune``.
    """
    try:
        with RootDir(site) as root, root.directory("") as top:
            ours = os.access(STATE_DIR, os.W_OK | os.X_OK, dir_fd=top.fd, effective_ids=True)
            return ours and store.needs_clean_up(root, set(keep))
    except OSError:
        return False


def sync_finished(site: str) -> None:
    """Makes last what an earlier run has done, if it was killed before it could.

    For a run that finds all done, and says so. Raises Failed.
    """
    try:
        with RootDir(site) as root:
            try:
                folder = root.directory(STATE_DIR)
            except FileNotFoundError:
                folder = root.directory("")  # a revert took it away
            with folder:
                folder.sync()
    except (FileNotFoundError, PermissionError):
        pass  # nothing was done here, or by somebody else
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
    """Locks ``site``, recovers it if a run died there, and tidies up behind.

    ``timeout`` is in seconds. Raises Locked after that time, Failed where the site
    cannot be written, Untrusted where a journal cannot be believed.
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
    """A locked site. ``recovery`` tells what an earlier run had left; usually None.

    ``cleanup_error`` is the error where, at the end, .jhpatch could not be tidied: the site is
    then as the command meant it, and something of ours lies there still.
    """

    def __init__(self, root: RootDir, step: Step = _nothing) -> None:
        self.root = root
        self.recovery: Optional[Recovery] = None
        self.cleanup_error: Optional[Failed] = None
        self._step = step
        self._path = ""  # the file at work, for the message of an error

    def recover(self) -> None:
        """Undoes a run that died. Raises Failed; Untrusted for a journal not to be believed."""
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
        """Takes away saved originals but those of ``keep``; see ``cleanup_error``."""
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
        """Makes all ``changes``, in their order, or none.

        ``originals`` are bytes that a later revert needs; ``keep`` names all saved
        originals that stay behind for it, by SHA-256;
        ``rebuild`` gets the .pyc files (paths from the site's root) that were dropped.
        Raises Failed; the site is then exactly as before unless the message says that
        the change was made.
        """
        changes = tuple(changes)
        rows = self._rows(changes)
        journal = journals.of_this_process(python, rows + self._guards(rows))
        new: List[str] = []  # saved originals that only this run needs, should it fail
        with _signals_held():
            try:
                old = [change.before for change in changes if change.before is not None]
                self._at("save", store.ORIGINALS)
                for name in store.save_originals(self.root, old + list(originals), self._step):
                    new.append(name)
                self._stage(changes, journal)
                self._replace(changes, rows)
                dropped = staging.drop_bytecode(self.root, rows, self._at)
                staging.sync_directories(self.root, rows, self._at)
                self._at("commit", JOURNAL)
                store.remove_journal(self.root)
            except BaseException as error:
                raise self._rolled_back(error, journal, new)
            self._settle(rows, set(keep))
        if rebuild and dropped:
            # A missing .pyc costs a reader milliseconds; it is no reason to fail.
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
            folder, name = self.root.parent(change.path)
            with folder:
                found = folder.read(name)
                if (found and found.data) != change.before:
                    raise failures.changed_meanwhile(path, change.before, found)
                like = os.fstat(folder.fd)
                if not os.access(".", os.W_OK | os.X_OK, dir_fd=folder.fd, effective_ids=True):
                    raise not_writable(path, like)
        except OSError as error:
            raise Failed("cannot change a file: %s" % error.strerror, path=path)
        if found:
            like = found.stat
        mode = stat.S_IMODE(like.st_mode) if found else 0o644
        before, after = _sha256(change.before), _sha256(change.after)
        return Row(change.path, before, after, temp, mode, like.st_uid, like.st_gid, change.guard)

    def _guards(self, rows: Tuple[Row, ...]) -> Tuple[Row, ...]:
        """Rows that change nothing: what the guards are that this change leaves alone."""
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
            folder, name = self.root.parent(row.path)
            with folder:
                found = folder.read(name)
                if (found and found.data) != change.before:
                    path = os.path.join(self.root.path, row.path)
                    raise failures.changed_meanwhile(path, change.before, found)
                _put(folder, name, row.temp if change.after is not None else None)

    def _settle(self, rows: Tuple[Row, ...], keep: Collection[str]) -> None:
        """What comes after the point of no return: the unlink lasts, old originals go."""
        try:
            store.sync_journal(self.root, self._at)
        except OSError as error:
            raise failures.may_be_lost(self.root.path, error)
        self.prune(keep)
        # A helper that conda or dpkg did not know had kept the folder of what is gone.
        with contextlib.suppress(OSError):
            staging.remove_empty_directories(self.root, (r.path for r in rows if r.after is None))

    def _verify(self, rows: Tuple[Row, ...]) -> None:
        """pip takes no lock of ours: what it did meanwhile must not pass for success."""
        for row in rows:
            path = os.path.join(self.root.path, row.path)
            try:
                found = staging.hash_of(self.root, row.path)
            except OSError as error:
                raise Failed(
                    "the change was made, but could not be read again: %s"
                    % failures.message_of(error),
                    path=path,
                    next=jhpatch_command("status"),
                )
            if found != row.after:
                raise Failed(
                    "the change was made, and something else has changed this file since",
                    path=path,
                    expected=failures.shown(row.after),
                    found=failures.shown(found),
                    next=jhpatch_command("status"),
                )

    # Undo.

    def _rolled_back(
        self, error: BaseException, journal: Journal, new: Iterable[str]
    ) -> BaseException:
        """The error to raise, after everything was put back."""
        path = os.path.join(self.root.path, self._path)
        try:
            undo(self.root, journal, self._at)
        except Exception as second:
            return Failed(
                "%s; putting the old files back failed too: %s"
                % (failures.message_of(error), failures.message_of(second)),
                path=path,
                next="run the same command again: it recovers first",
            )
        with contextlib.suppress(OSError):
            store.drop(self.root, new, self._step)
        if isinstance(error, OSError):
            return Failed("%s; nothing was changed" % failures.message_of(error), path=path)
        return error

    def _at(self, doing: str, path: str) -> None:
        """Where the work stands: for the message of an error, and for a test's fault."""
        self._path = path
        self._step("%s %s" % (doing, path))


# Single steps.


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Ctrl-C, a closed terminal and a polite kill wait until the site is whole again."""
    old = _signal.pthread_sigmask(_signal.SIG_BLOCK, _HELD)
    try:
        yield
    finally:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, old)


def _sha256(data: Optional[bytes]) -> Optional[str]:
    return None if data is None else sha256(data)
