"""``jhpatch survey``: which releases on the package index no patch names yet."""

import argparse
from typing import Callable, Dict, Iterator, List, Optional

from jhpatch.commands.arguments import add_output_options, add_patches, add_wheels, patch_dirs_of
from jhpatch.errors import Usage, jhpatch_command
from jhpatch.maintenance import wheels
from jhpatch.patchset import catalog, versions
from jhpatch.patchset.edition import Edition, normalized
from jhpatch.report.result import Release, Releases, Result
from jhpatch.system import sha256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``survey``."""
    parser.add_argument(
        "distribution",
        nargs="*",
        metavar="DISTRIBUTION",
        help="a distribution that there are patches for; default: all",
    )
    add_wheels(parser)
    add_patches(parser)
    add_output_options(parser)


def run(arguments: argparse.Namespace) -> Result:
    """0: every release is covered; 3: some are not."""
    by_name = _editions(arguments)
    with wheels.kept_in(arguments.wheels) as folder:
        found = list(_releases(by_name, folder, arguments.step))
    then = None
    for one in found:
        if one.uncovered:
            then = jhpatch_command("rebase", one.uncovered[0], "--to", one.version)
            break
    return Result(
        "survey",
        Releases(tuple(found)),
        notes=tuple(_counts(by_name, found)),
        next=then,
        own_exit_code=3 if then else 0,
    )


def _editions(arguments: argparse.Namespace) -> Dict[str, List[Edition]]:
    """The editions of each distribution. Raises Usage."""
    by_name: Dict[str, List[Edition]] = {}
    for one in catalog.editions([catalog.own_patch_dir()] + patch_dirs_of(arguments)):
        by_name.setdefault(one.distribution, []).append(one)
    wanted = [normalized(name) for name in arguments.distribution] or sorted(by_name)
    for name in wanted:
        if name not in by_name:
            raise Usage(
                "no patch is for a distribution of this name: " + name,
                expected="one of " + ", ".join(sorted(by_name)),
                found=name,
                next=jhpatch_command("list"),
            )
    return {name: by_name[name] for name in wanted}


def _releases(
    by_name: Dict[str, List[Edition]], folder: str, step: Callable[[str], None]
) -> Iterator[Release]:
    """Each release on the index, the newest of a distribution first."""
    for editions in by_name.values():
        listed = wheels.released(editions[0].package)
        newest = next((one for one in listed if not _is_prerelease(one)), None)
        for version in listed:
            step("%s %s" % (editions[0].package, version))
            yield _release(version, newest, editions, folder)


def _release(version: str, newest: Optional[str], editions: List[Edition], folder: str) -> Release:
    fitting = [one for one in editions if one.fits(version)]
    uncovered = sorted({one.patch for one in editions} - {one.patch for one in fitting})
    base = Release(editions[0].distribution, version, "covered")
    if not uncovered:
        return base._replace(editions=tuple(one.name for one in fitting))
    if _is_older(version, editions):
        return base._replace(state="older")
    if newest and _is_prerelease(version) and not _is_after(version, newest):
        return base._replace(state="passed")
    ours = [one for one in editions if one.patch in uncovered and one.changes]
    return _by_bytes(base._replace(uncovered=tuple(uncovered)), ours, folder)


def _by_bytes(one: Release, editions: List[Edition], folder: str) -> Release:
    """A release that no edition names: is any for its bytes?"""
    paths = sorted({change.path for edition in editions for change in edition.changes})
    files = wheels.files_of(wheels.wheel_of(one.distribution, one.version, folder), paths)
    hashes = {path: sha256.sha256(data) for path, data in files.items()}
    same = [e for e in editions if all(hashes.get(c.path) == c.before for c in e.changes)]
    unknown = sorted(set(one.uncovered) - {edition.patch for edition in same})
    names = tuple(edition.name for edition in same)
    if not unknown:
        return one._replace(state="identical", editions=names)
    reason = "no patch knows its bytes for " + ", ".join(unknown)
    if set(paths) - set(files):
        reason = "it has no " + ", ".join(sorted(set(paths) - set(files)))
    return one._replace(state="new", editions=names, reason=reason)


def _is_older(version: str, editions: List[Edition]) -> bool:
    """Whether it comes before the first release that an edition is for."""
    lows = [one.low for edition in editions for one in edition.ranges if one.low]
    return bool(lows) and not _is_after(version, min(lows, key=versions.key))


def _is_prerelease(version: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version).is_prerelease
    except InvalidVersion:
        return False


def _is_after(version: str, other: str) -> bool:
    """By PEP 440: a prerelease comes before its release. What PEP 440 does not know is."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version) > Version(other)
    except InvalidVersion:
        return True


def _counts(by_name: Dict[str, List[Edition]], releases: List[Release]) -> Iterator[str]:
    for name in by_name:
        states = [one.state for one in releases if one.distribution == name]
        counts = [
            "%d %s" % (states.count(state), state)
            for state in ("covered", "identical", "new", "older", "passed")
            if state in states
        ]
        yield "%s: %d releases: %s" % (name, len(states), ", ".join(counts))
