"""A site as it lies on the disk → the ``SiteSnapshot`` that a plan takes.

Only reads. Where a run has died, the view is of the site as recovery will leave it.
"""

import contextlib
import os
from typing import Callable, Dict, FrozenSet, Iterable, List, Optional, Set, Tuple

from jhpatch.errors import (
    Failed,
    JhpatchError,
    NextStep,
    Untrusted,
    reinstall_command,
    shell_command,
)
from jhpatch.installer import assessment, state
from jhpatch.installer.assessment import PatchStatus, SiteSnapshot
from jhpatch.installer.distribution import distributions
from jhpatch.installer.environment import Environment, Site
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset.catalog import Catalog
from jhpatch.patchset.edition import normalized
from jhpatch.report import states
from jhpatch.system.rooted_files import RootDir, UnsafePath
from jhpatch.system.sha256 import sha256
from jhpatch.transaction import journal as journals
from jhpatch.transaction import store

Stamp = Tuple[Optional[Tuple[int, int, int]], ...]
_LOOKS = 50  # a run takes longer than a look: the second or third is undisturbed


class Inspection(NamedTuple):
    """A site and the state of each patch in it."""

    environment: Environment
    site: Site
    snapshot: SiteSnapshot
    statuses: Tuple[PatchStatus, ...]
    journal: Optional[str] = None
    """``busy`` or ``interrupted`` where a journal lies in the site."""
    shadowed: FrozenSet[str] = frozenset()
    """Distributions of which another site has the copy that is imported."""
    error: Optional[JhpatchError] = None
    """Why the site could not be looked at; there are no assessments then."""
    stamp: Stamp = ()
    """Of the runs that had begun or ended when it was looked at (``stamp_of``)."""

    @property
    def owner(self) -> Optional[str]:
        """Who put the files there: pip, uv, conda, dpkg, or None for nobody knows."""
        if os.path.isdir(os.path.join(self.environment.prefix, "conda-meta")):
            return "conda"
        if self.site.path.startswith("/usr/lib/python3/"):
            return "dpkg"
        found = (one for several in self.snapshot.distributions.values() for one in several)
        return next((one.installer for one in found if one.installer), None)

    def is_shadowed(self, patch: str) -> bool:
        """Whether the distribution of a patch is hidden behind another site's."""
        return normalized(patch.partition("/")[0]) in self.shadowed


def inspect(environment: Environment, known: Catalog) -> Tuple[Inspection, ...]:
    """The sites of an environment that hold something of ours or for us, at least the first.

    ``known`` gives the patches; headers are read only for what is installed, or was.
    No lock is taken: where a run has begun or ended meanwhile, all is looked at again.
    Raises BadPatch.
    """
    for tries in range(_LOOKS):
        before = {site.path: stamp_of(site.path) for site in environment.sites}
        try:
            found = _inspect(environment, known)
        except JhpatchError:
            if tries == _LOOKS - 1 or _is_current(before):
                raise
            continue
        if _is_current(before):
            break
    return tuple(one._replace(stamp=before[one.site.path]) for one in found)


def _is_current(stamps: Dict[str, Stamp]) -> bool:
    return all(stamp_of(path) == stamp for path, stamp in stamps.items())


def stamp_of(site: str) -> Stamp:
    """What is another whenever a run has begun, been undone or ended in between."""
    return tuple(map(_stamp, (os.path.join(site, path) for path in (store.JOURNAL, state.STATE))))


def _stamp(path: str) -> Optional[Tuple[int, int, int]]:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_ino, found.st_ctime_ns, found.st_size


def _inspect(environment: Environment, known: Catalog) -> Tuple[Inspection, ...]:
    names = known.distributions
    looks = [_look(environment, site, names) for site in environment.sites]
    seen: Set[str] = set()
    found: List[Inspection] = []
    for number, one in enumerate(looks):
        here = set(one.snapshot.distributions)
        recorded = (
            {done.name for done in one.snapshot.state.distributions}
            if one.snapshot.state
            else set()
        )
        if number == 0 or here or recorded or one.journal or one.error:
            one = one._replace(shadowed=frozenset(here & seen))
            found.append(one if one.error else _assessed(one, known, here | recorded))
        seen |= here
    return tuple(found[:1] and [_with_absent(found[0], known, seen)] + found[1:])


def _assessed(one: Inspection, known: Catalog, shown: Set[str]) -> Inspection:
    there = one.snapshot.distributions
    releases = {name: there[name][0].version if name in there else None for name in shown}
    try:
        return one._replace(statuses=assessment.assess(one.snapshot, known.fitting(releases)))
    except Untrusted as error:  # an original that a run which died has saved
        return one._replace(error=with_recovery_hint(error, one.site.path, known))


def _with_absent(first: Inspection, known: Catalog, installed: Set[str]) -> Inspection:
    """The patches for what no site has are shown once, with the first site."""
    absent = known.patches(set(known.distributions) - installed)
    there = {one.patch for one in first.statuses}
    more = (assessment.absent(patch) for patch in absent if patch not in there)
    if first.error:
        return first
    both = sorted(first.statuses + tuple(more), key=lambda one: one.patch)
    return first._replace(statuses=tuple(both))


def _look(environment: Environment, site: Site, names: Tuple[str, ...]) -> Inspection:
    """A site without its assessments; an error takes the place of what cannot be read."""
    try:
        root = RootDir(site.path)
        try:
            return _read_site(environment, site, root, names)
        except Untrusted as error:
            error.next = _recovery_command(root, names)
            return Inspection(environment, site, _empty(site.path), (), error=error)
    except OSError as error:
        failed = Failed(
            "cannot read a site: %s" % error.strerror, path=str(error.filename or site.path)
        )
        return Inspection(environment, site, _empty(site.path), (), error=failed)


def _read_site(
    environment: Environment, site: Site, root: RootDir, names: Tuple[str, ...]
) -> Inspection:
    journal = store.journal_of(root)
    read = _reader(root, journal)
    data = read(state.STATE) if _has_folder(root) else None
    known = state.parse(data, os.path.join(site.path, state.STATE)) if data is not None else None
    wanted = set(names) | ({one.name for one in known.distributions} if known else set())
    snapshot = SiteSnapshot(
        site.path,
        distributions(root, wanted, site.archives),
        known,
        data,
        read,
        lambda sha256: store.original(root, sha256),
        root.has_directory_of,
    )
    status = None
    if journal is not None:
        status = states.BUSY if journals.is_writer_alive(journal) else states.INTERRUPTED
    return Inspection(environment, site, snapshot, (), status)


def _empty(path: str) -> SiteSnapshot:
    return SiteSnapshot(path, {}, None, None, lambda path: None, lambda sha256: b"")


def with_recovery_hint(error: JhpatchError, site: str, known: Catalog) -> JhpatchError:
    """The error; where what was saved cannot be believed, with the command that helps."""
    if isinstance(error, Untrusted) and not error.next:
        with contextlib.suppress(OSError), RootDir(site) as root:
            error.next = _recovery_command(root, known.distributions)
    return error


def _recovery_command(root: RootDir, names: Iterable[str]) -> NextStep:
    """The command that brings a site back when its state cannot be believed."""
    found = distributions(root, names)
    named = ["%s==%s" % (name, found[name][0].version) for name in sorted(found)]
    return reinstall_command(*named) + " && " + shell_command("rm", "-r", root.path + "/.jhpatch")


def _has_folder(root: RootDir) -> bool:
    with root.directory("") as top:
        return top.lstat(store.STATE_DIR) is not None


def _reader(
    root: RootDir, journal: Optional[journals.Journal]
) -> Callable[[str], Optional[bytes]]:
    """Reads each file once; where a run died, what recovery will make of it."""
    rows = {row.path: row for row in journal.rows} if journal else {}
    disk: Dict[str, Optional[bytes]] = {}
    cache: Dict[str, Optional[bytes]] = {}

    def on_disk(path: str) -> Optional[bytes]:
        if path not in disk:
            if path.startswith(store.STATE_DIR + "/"):
                disk[path] = store.saved(root, path[len(store.STATE_DIR) + 1 :])
            else:
                found = root.read(path)
                disk[path] = found.data if found else None
        return disk[path]

    def hash_of(path: str) -> Optional[str]:
        try:
            data = on_disk(path)
        except UnsafePath:
            return ""
        return None if data is None else sha256(data)

    def read(path: str) -> Optional[bytes]:
        if path not in cache:
            data = on_disk(path)
            row = rows.get(path)
            if row and journals.is_undone(rows, row, hash_of, root.has_directory_of):
                data = None if row.before is None else store.original(root, row.before)
            cache[path] = data
        return cache[path]

    return read
