"""``jhpatch survey``: which releases on the package index no patch names yet."""

import argparse
from typing import Dict, Iterator, List, Optional, Tuple

from jhpatch import catalog, engine, versions, wheels
from jhpatch.catalog import Edition, normalized
from jhpatch.errors import Usage
from jhpatch.result import Release, Result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``survey``."""
    add = parser.add_argument
    add(
        "distribution",
        nargs="*",
        metavar="DISTRIBUTION",
        help="a distribution that there are patches for; default: all",
    )
    add(
        "--patches",
        action="append",
        default=[],
        metavar="DIR",
        help="another tree of patches beside jhpatch's own; may repeat",
    )
    add("--wheels", metavar="DIR", help="where wheels lie, and stay that pip brings")
    add("--json", action="store_true", help="one JSON document on standard output")
    add("-v", "--verbose", action="store_true", help="name every release")


def run(arguments: argparse.Namespace) -> Result:
    """0: every release is covered; 3: some are not."""
    by_name = _editions(arguments)
    if arguments.wheels:
        found = list(_releases(by_name, arguments.wheels))
    else:
        import tempfile

        with tempfile.TemporaryDirectory() as scratch:
            found = list(_releases(by_name, scratch))
    open_ones = [(one, patch) for one, patches in found for patch in patches]
    then = None
    if open_ones:
        one, patch = open_ones[0]
        then = "python -m jhpatch rebase %s --to %s" % (patch, one.version)
    releases = tuple(one for one, _ in found)
    return Result(
        "survey",
        releases=releases,
        notes=tuple(_counts(by_name, releases)),
        next=then,
        own_exit_code=3 if open_ones else 0,
    )


def _editions(arguments: argparse.Namespace) -> Dict[str, List[Edition]]:
    """The editions of each distribution. Raises Usage."""
    by_name: Dict[str, List[Edition]] = {}
    for one in catalog.editions([catalog.own_tree()] + arguments.patches):
        by_name.setdefault(one.distribution, []).append(one)
    wanted = [normalized(name) for name in arguments.distribution] or sorted(by_name)
    for name in wanted:
        if name not in by_name:
            raise Usage(
                "no patch is for a distribution of this name: " + name,
                expected="one of " + ", ".join(sorted(by_name)),
                found=name,
                next="python -m jhpatch list",
            )
    return {name: by_name[name] for name in wanted}


def _releases(
    by_name: Dict[str, List[Edition]], folder: str
) -> Iterator[Tuple[Release, List[str]]]:
    """Each release, the newest first, and the patches that do not name it."""
    for editions in by_name.values():
        package = editions[0].package
        listed = wheels.released(package)
        newest = next((one for one in listed if versions.PLAIN.match(one)), None)
        for version in listed:
            yield _release(package, version, newest, editions, folder)


def _release(
    package: str, version: str, newest: Optional[str], editions: List[Edition], folder: str
) -> Tuple[Release, List[str]]:
    fitting = [one for one in editions if one.fits(version)]
    open_patches = sorted({one.patch for one in editions} - {one.patch for one in fitting})
    if not open_patches:
        names = tuple(one.name for one in fitting)
        return Release(normalized(package), version, "covered", names), []
    if _is_older(version, editions):
        return Release(normalized(package), version, "older"), []
    if newest and not versions.PLAIN.match(version) and not _is_after(version, newest):
        return Release(normalized(package), version, "passed"), []
    return _by_bytes(package, version, open_patches, editions, folder), open_patches


def _by_bytes(
    package: str, version: str, patches: List[str], editions: List[Edition], folder: str
) -> Release:
    """A release that no edition names: is any for its bytes?"""
    ours = [one for one in editions if one.patch in patches and one.changes]
    paths = sorted({change.path for one in ours for change in one.changes})
    files = wheels.files_of(wheels.wheel_of(package, version, folder), paths)
    hashes = {path: engine.sha256(data) for path, data in files.items()}
    same = [one for one in ours if all(hashes.get(c.path) == c.before for c in one.changes)]
    if {one.patch for one in same} == set(patches):
        names = tuple(one.name for one in same)
        return Release(normalized(package), version, "identical", names)
    known = {one.patch for one in same}
    missing = sorted(set(paths) - set(files))
    reason = "no patch knows its bytes for " + ", ".join(p for p in patches if p not in known)
    if missing:
        reason = "it has no " + ", ".join(missing)
    return Release(normalized(package), version, "new", reason=reason)


def _is_older(version: str, editions: List[Edition]) -> bool:
    """Whether it comes before the first release that an edition is for."""
    first = min((one.low for e in editions for one in e.ranges if one.low), key=versions.key)
    return not _is_after(version, first)


def _is_after(version: str, other: str) -> bool:
    """By PEP 440: a prerelease comes before its release."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version) > Version(other)
    except InvalidVersion:
        return False


def _counts(by_name: Dict[str, List[Edition]], releases: Tuple[Release, ...]) -> Iterator[str]:
    for name in by_name:
        states = [one.state for one in releases if one.distribution == name]
        counts = [
            "%d %s" % (states.count(state), state)
            for state in ("covered", "identical", "new", "older", "passed")
            if state in states
        ]
        yield "%s: %d releases: %s" % (name, len(states), ", ".join(counts))
