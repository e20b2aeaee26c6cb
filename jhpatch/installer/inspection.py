"""The inspection of a site on the disk, into the ``SiteSnapshot`` that a plan needs.

Read-only. If a run was interrupted, the snapshot shows the site as recovery will restore it.
"""

import contextlib
import os
from typing import Callable, Dict, Iterable, List, Optional, Set, Tuple

from jhpatch.errors import Failed, JhpatchError, NextStep, Untrusted
from jhpatch.installer import assessment, state
from jhpatch.installer.compiled_modules import compiled_copy
from jhpatch.installer.distribution import Distribution, abandoned, distributions, other_owner
from jhpatch.installer.environment import Environment, Site
from jhpatch.installer.import_path import Shadows
from jhpatch.installer.patch_status import PatchStatus, SiteSnapshot
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset.catalog import Catalog
from jhpatch.patchset.edition import normalized
from jhpatch.report import states
from jhpatch.system.rooted_files import RootDir, UnsafePath
from jhpatch.system.sha256 import sha256
from jhpatch.transaction import journal as journals
from jhpatch.transaction import store

Stamp = Tuple[Optional[Tuple[int, int, int]], ...]
_ATTEMPTS = 50  # a run takes longer than an inspection, so the second or third succeeds


class Inspection(NamedTuple):
    """A site and the state of each patch in it."""

    environment: Environment
    site: Site
    snapshot: SiteSnapshot
    statuses: Tuple[PatchStatus, ...]
    journal: Optional[str] = None
    """``busy`` or ``interrupted`` if the site has a journal."""
    shadows: Shadows = Shadows()
    error: Optional[JhpatchError] = None
    """Why the site could not be inspected; ``statuses`` is then empty."""
    stamp: Stamp = ()
    """The ``stamp_of`` the site at the time of the inspection."""

    @property
    def owner(self) -> Optional[str]:
        """The tool that installed the files, such as pip, uv, conda or dpkg; None if unknown."""
        if os.path.isdir(os.path.join(self.environment.prefix, "conda-meta")):
            return "conda"
        if self.site.path.startswith("/usr/lib/python3/"):
            return "dpkg"
        groups = self.snapshot.distributions.values()
        installers = (distribution.installer for group in groups for distribution in group)
        return next(filter(None, installers), None)

    def is_shadowed(self, patch: str) -> bool:
        """Return whether Python imports another copy of a patch's distribution."""
        return normalized(patch.partition("/")[0]) in self.shadows.copies


def inspect(environment: Environment, catalog: Catalog) -> Tuple[Inspection, ...]:
    """Inspect the first site of an environment, and each that has patches or could have some.

    Only the patches for distributions that are installed or recorded are read from
    ``catalog``. No lock is taken: if a run starts or ends meanwhile, all sites are inspected
    again. Raises BadPatch.
    """
    for attempt in range(_ATTEMPTS):
        before = {site.path: stamp_of(site.path) for site in environment.sites}
        try:
            inspections = _inspect(environment, catalog)
        except JhpatchError:
            if attempt == _ATTEMPTS - 1 or _is_current(before):
                raise
            continue
        if _is_current(before):
            break
    return tuple(
        inspection._replace(stamp=before[inspection.site.path]) for inspection in inspections
    )


def _is_current(stamps: Dict[str, Stamp]) -> bool:
    return all(stamp_of(path) == stamp for path, stamp in stamps.items())


def stamp_of(site: str) -> Stamp:
    """Return a value that changes whenever a run starts, is undone or ends."""
    return tuple(map(_stamp, (os.path.join(site, path) for path in (store.JOURNAL, state.STATE))))


def _stamp(path: str) -> Optional[Tuple[int, int, int]]:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_ino, status.st_ctime_ns, status.st_size


def _inspect(environment: Environment, catalog: Catalog) -> Tuple[Inspection, ...]:
    names = catalog.distributions
    sites = [_inspect_site(environment, site, names) for site in environment.sites]
    own = next((n for n, site in enumerate(environment.sites) if site.inside), 0)
    imported: Dict[str, str] = {}
    inspections: List[Inspection] = []
    main = 0
    for number, inspection in enumerate(sites):
        snapshot = inspection.snapshot
        installed = set(snapshot.distributions)
        recorded = {
            entry.name for entry in (snapshot.state.distributions if snapshot.state else ())
        }
        if number == own or installed or recorded or inspection.journal or inspection.error:
            shadowed = {name: imported[name] for name in installed if name in imported}
            inspection = inspection._replace(shadows=Shadows(shadowed))
            if not inspection.error:
                inspection = _assess(inspection, catalog, installed | recorded)
                earlier = [site.path for site in environment.sites[:number]]
                shadows = inspection.shadows.of_packages(inspection.statuses, earlier)
                inspection = inspection._replace(shadows=shadows)
            if number == own:
                main = len(inspections)
            inspections.append(inspection)
        for name in installed:
            imported.setdefault(name, inspection.site.path)
    if inspections:
        inspections[main] = _with_absent(inspections[main], catalog, set(imported))
    return tuple(inspections)


def _assess(inspection: Inspection, catalog: Catalog, names: Set[str]) -> Inspection:
    installed = inspection.snapshot.distributions
    releases = {name: installed[name][0].version if name in installed else None for name in names}
    try:
        editions = catalog.fitting(releases)
        return inspection._replace(statuses=assessment.assess(inspection.snapshot, editions))
    except Untrusted as error:  # an original that a killed run has saved
        return inspection._replace(error=with_recovery_hint(error, inspection, catalog))


def _with_absent(first: Inspection, catalog: Catalog, installed: Set[str]) -> Inspection:
    """Add the patches whose distribution is in no site; they are shown with the first site."""
    absent = catalog.patches(set(catalog.distributions) - installed)
    known = {status.patch for status in first.statuses}
    left = first.snapshot.abandoned
    added = (assessment.absent(patch, left) for patch in absent if patch not in known)
    if first.error:
        return first
    statuses = sorted(first.statuses + tuple(added), key=lambda status: status.patch)
    return first._replace(statuses=tuple(statuses))


def _inspect_site(environment: Environment, site: Site, names: Tuple[str, ...]) -> Inspection:
    """Read a site, without the statuses; with an error if it cannot be read."""
    try:
        root = RootDir(site.path)
        try:
            return _read_site(environment, site, root, names)
        except Untrusted as error:
            error.next = error.next or _recovery_command(environment, site, root, names)
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
    data = read(state.STATE) if _has_state_dir(root) else None
    saved = state.parse(data, os.path.join(site.path, state.STATE)) if data is not None else None
    needed = set(names) | ({entry.name for entry in saved.distributions} if saved else set())
    snapshot = SiteSnapshot(
        site.path,
        distributions(root, needed, site.archives),
        saved,
        data,
        read,
        lambda sha256: store.original(root, sha256),
        root.has_directory_of,
        lambda path, info: other_owner(root, path, info),
        root.mode_of,
        tuple(abandoned(root, needed)),
        lambda *which, **how: reinstall(environment, site, which, **how),
        lambda path: compiled_copy(root, path, environment.version),
    )
    status = None
    if journal is not None:
        status = states.BUSY if journals.is_writer_alive(journal) else states.INTERRUPTED
    return Inspection(environment, site, snapshot, (), status)


def _empty(path: str) -> SiteSnapshot:
    return SiteSnapshot(path, {}, None, None, lambda path: None, lambda sha256: b"")


def reinstall(
    environment: Environment, site: Site, which: Iterable[Distribution], copies: bool = False
) -> NextStep:
    """Return how to reinstall distributions of a site."""
    from jhpatch.installer import reinstall_advice  # not needed for a valid site

    return reinstall_advice.advice(environment, site, which, copies)


def with_recovery_hint(
    error: JhpatchError, inspection: Inspection, catalog: Catalog
) -> JhpatchError:
    """Return the error; if it is Untrusted, with the command that reinstalls the site."""
    if isinstance(error, Untrusted) and not error.next:
        site = inspection.site
        with contextlib.suppress(OSError), RootDir(site.path) as root:
            names = catalog.distributions
            error.next = _recovery_command(inspection.environment, site, root, names)
    return error


def _recovery_command(
    environment: Environment, site: Site, root: RootDir, names: Iterable[str]
) -> NextStep:
    """Return the step that restores a site whose state cannot be trusted."""
    from jhpatch.installer import reinstall_advice

    installed = distributions(root, names)
    which = [installed[name][0] for name in sorted(installed)]
    return reinstall_advice.without_state(environment, site, which)


def _has_state_dir(root: RootDir) -> bool:
    with root.directory("") as site_dir:
        return site_dir.lstat(store.STATE_DIR) is not None


def _reader(
    root: RootDir, journal: Optional[journals.Journal]
) -> Callable[[str], Optional[bytes]]:
    """Return a function that reads each file once, as recovery will restore it."""
    rows = {row.path: row for row in journal.rows} if journal else {}
    has_directory_of = (
        journals.before_removal(journal, root.has_directory_of)
        if journal
        else root.has_directory_of
    )
    disk: Dict[str, Optional[bytes]] = {}
    cache: Dict[str, Optional[bytes]] = {}

    def on_disk(path: str) -> Optional[bytes]:
        if path not in disk:
            if path.startswith(store.STATE_DIR + "/"):
                disk[path] = store.saved(root, path[len(store.STATE_DIR) + 1 :])
            else:
                content = root.read(path)
                disk[path] = content.data if content else None
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
            if row and journals.is_undone(rows, row, hash_of, has_directory_of):
                data = None if row.before is None else store.original(root, row.before)
            cache[path] = data
        return cache[path]

    return read
