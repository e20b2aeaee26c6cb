"""The releases on the package index, and which of them no patch names."""

from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from packaging.version import InvalidVersion, Version

from jhpatch.errors import Failed, Usage, jhpatch_command
from jhpatch.maintenance import wheels
from jhpatch.maintenance.release_files import ReleaseFiles
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset import catalog, versions
from jhpatch.patchset.edition import Edition, normalized


class Coverage(NamedTuple):
    """A release, and which patches cover it: see ``report.result.Release``."""

    distribution: str
    version: str
    state: str
    """``covered``, ``identical``, ``new``, ``older`` or ``passed``."""
    editions: Tuple[str, ...] = ()
    uncovered: Tuple[str, ...] = ()
    reason: Optional[str] = None
    yanked: bool = False
    """Whether its author has withdrawn it."""


def editions_of(names: Sequence[str], directories: List[str]) -> Dict[str, List[Edition]]:
    """Return the editions of each named distribution, or of all if none is named. Raises Usage."""
    by_name: Dict[str, List[Edition]] = {}
    for edition in catalog.editions(directories):
        by_name.setdefault(edition.distribution, []).append(edition)
    wanted = [normalized(name) for name in names] or sorted(by_name)
    for name in wanted:
        if name not in by_name:
            raise Usage(
                "there is no patch for the distribution " + name,
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
        yanked = frozenset(wheels.yanked_versions(editions[0].package))
        for version in sorted(released + sorted(yanked), key=_order, reverse=True):
            step("%s %s" % (editions[0].package, version))
            coverage = _coverage(version, newest, editions, directory)
            yield coverage._replace(yanked=version in yanked)


def _coverage(
    version: str, newest: Optional[str], editions: List[Edition], directory: str
) -> Coverage:
    fitting = [edition for edition in editions if edition.fits(version)]
    uncovered = {edition.patch for edition in editions} - {edition.patch for edition in fitting}
    coverage = Coverage(editions[0].distribution, version, "covered")
    if not uncovered:
        coverage = coverage._replace(editions=tuple(edition.name for edition in fitting))
        return _compared(coverage, fitting, directory)
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
    release = ReleaseFiles(coverage.version, wheels.read_files(wheel, paths))
    identical = [edition for edition in editions if release.is_before(edition)]
    names = tuple(edition.name for edition in identical)
    unknown = sorted(set(coverage.uncovered) - {edition.patch for edition in identical})
    if not unknown:
        return coverage._replace(state="identical", editions=names)
    needed = {change.path for edition in editions for change in edition.changes if change.before}
    missing = sorted(needed - set(release.files))
    reason = "no patch file of %s fits the release" % ", ".join(unknown)
    if missing:
        reason = "the release has no " + ", ".join(missing)
    return coverage._replace(state="new", editions=names, reason=reason)


def _compared(coverage: Coverage, fitting: List[Edition], directory: str) -> Coverage:
    """Compare a release inside of a range with the bytes of its edition.

    A backport to an old branch can be published after the patch. The ends of a range were compared
    when the patch was written.
    """
    changing = [edition for edition in fitting if edition.changes]
    unproved = [edition for edition in changing if not _is_end(coverage, edition)]
    if not unproved:
        return coverage
    paths = sorted({change.path for edition in unproved for change in edition.changes})
    try:
        wheel = wheels.fetch(coverage.distribution, coverage.version, directory)
        release = ReleaseFiles(coverage.version, wheels.read_files(wheel, paths))
    except Failed as error:
        patches = tuple(sorted(edition.patch for edition in unproved))
        reason = "the release cannot be compared: " + error.message
        return coverage._replace(state="new", uncovered=patches, reason=reason)
    other = [edition for edition in unproved if not release.is_before(edition)]
    if not other:
        return coverage
    return coverage._replace(
        state="new",
        editions=tuple(edition.name for edition in fitting if edition not in other),
        uncovered=tuple(sorted(edition.patch for edition in other)),
        reason="the release is in the range of %s, but has other bytes"
        % ", ".join(edition.name for edition in other),
    )


def _is_end(coverage: Coverage, edition: Edition) -> bool:
    key = versions.key(coverage.version)
    ends = [end for row in edition.ranges for end in (row.low, row.high) if end]
    return any(versions.key(end) == key for end in ends)


def _is_older(version: str, editions: List[Edition]) -> bool:
    """Return whether a release precedes the first release of all editions, or is that one."""
    lows = [row.low for edition in editions for row in edition.ranges if row.low]
    return bool(lows) and not _is_after(version, min(lows, key=versions.key))


def _order(version: str) -> Tuple[int, Version]:
    """Return the sort key of a version; an invalid one counts as later."""
    try:
        return 0, Version(version)
    except InvalidVersion:
        return 1, Version("0")


def _is_prerelease(version: str) -> bool:
    try:
        return Version(version).is_prerelease
    except InvalidVersion:
        return False


def _is_after(version: str, other: str) -> bool:
    """Return whether a version follows another (PEP 440); an invalid one counts as later."""
    try:
        return Version(version) > Version(other)
    except InvalidVersion:
        return True
