"""The releases on the package index, and which of them no patch names."""

from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from packaging.version import InvalidVersion, Version

from jhpatch.errors import Usage, jhpatch_command
from jhpatch.maintenance import wheels
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset import catalog, versions
from jhpatch.patchset.edition import Edition, normalized
from jhpatch.system.sha256 import sha256


class Coverage(NamedTuple):
    """A release, and what the patches know of it: see ``report.result.Release``."""

    distribution: str
    version: str
    state: str
    """``covered``, ``identical``, ``new``, ``older`` or ``passed``."""
    editions: Tuple[str, ...] = ()
    uncovered: Tuple[str, ...] = ()
    reason: Optional[str] = None


def editions_of(names: Sequence[str], directories: List[str]) -> Dict[str, List[Edition]]:
    """Return the editions of each distribution that is named, of all if none is. Raises Usage."""
    by_name: Dict[str, List[Edition]] = {}
    for edition in catalog.editions(directories):
        by_name.setdefault(edition.distribution, []).append(edition)
    wanted = [normalized(name) for name in names] or sorted(by_name)
    for name in wanted:
        if name not in by_name:
            raise Usage(
                "no patch is for a distribution of this name: " + name,
                expected="one of " + ", ".join(sorted(by_name)),
                found=name,
                next=jhpatch_command("list"),
            )
    return {name: by_name[name] for name in wanted}


def survey(
    by_name: Dict[str, List[Edition]], directory: str, step: Callable[[str], None]
) -> Iterator[Coverage]:
    """Return each release on the index, the newest of a distribution first.

    Wheels are downloaded into ``directory``; ``step`` is called with each release before it
    is examined. Raises Failed.
    """
    for editions in by_name.values():
        released = wheels.released_versions(editions[0].package)
        newest = next((version for version in released if not _is_prerelease(version)), None)
        for version in released:
            step("%s %s" % (editions[0].package, version))
            yield _coverage(version, newest, editions, directory)


def _coverage(
    version: str, newest: Optional[str], editions: List[Edition], directory: str
) -> Coverage:
    fitting = [edition for edition in editions if edition.fits(version)]
    uncovered = {edition.patch for edition in editions} - {edition.patch for edition in fitting}
    coverage = Coverage(editions[0].distribution, version, "covered")
    if not uncovered:
        return coverage._replace(editions=tuple(edition.name for edition in fitting))
    if _is_older(version, editions):
        return coverage._replace(state="older")
    if newest and _is_prerelease(version) and not _is_after(version, newest):
        return coverage._replace(state="passed")
    candidates = [edition for edition in editions if edition.patch in uncovered]
    coverage = coverage._replace(uncovered=tuple(sorted(uncovered)))
    return _compare(coverage, [edition for edition in candidates if edition.changes], directory)


def _compare(coverage: Coverage, editions: List[Edition], directory: str) -> Coverage:
    """Compare a release that no edition names with the bytes that the editions are for."""
    paths = sorted({change.path for edition in editions for change in edition.changes})
    wheel = wheels.fetch(coverage.distribution, coverage.version, directory)
    hashes = {path: sha256(data) for path, data in wheels.read_files(wheel, paths).items()}
    identical = [
        edition
        for edition in editions
        if all(hashes.get(change.path) == change.before for change in edition.changes)
    ]
    names = tuple(edition.name for edition in identical)
    unknown = sorted(set(coverage.uncovered) - {edition.patch for edition in identical})
    if not unknown:
        return coverage._replace(state="identical", editions=names)
    missing = sorted(set(paths) - set(hashes))
    reason = "no patch knows its bytes for " + ", ".join(unknown)
    if missing:
        reason = "it has no " + ", ".join(missing)
    return coverage._replace(state="new", editions=names, reason=reason)


def _is_older(version: str, editions: List[Edition]) -> bool:
    """Whether a release comes before the first that an edition is for."""
    lows = [row.low for edition in editions for row in edition.ranges if row.low]
    return bool(lows) and not _is_after(version, min(lows, key=versions.key))


def _is_prerelease(version: str) -> bool:
    try:
        return Version(version).is_prerelease
    except InvalidVersion:
        return False


def _is_after(version: str, other: str) -> bool:
    """Whether a version follows another (PEP 440); an invalid one counts as later."""
    try:
        return Version(version) > Version(other)
    except InvalidVersion:
        return True
