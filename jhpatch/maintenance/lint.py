"""Patch files → what is wrong with them.

``edition`` checks the header, ``engine`` the diff; here are the other rules of
patches/README.md, and the comparison with the wheels of releases: Before is what was released,
and the diff makes After of it.
"""

import itertools
import os
from typing import Dict, Iterator, List, Optional, Set, Tuple

from jhpatch.errors import BadPatch, JhpatchError
from jhpatch.maintenance import wheels
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset import catalog, engine
from jhpatch.patchset.edition import Edition, normalized, read_edition
from jhpatch.system import compiler
from jhpatch.system.sha256 import sha256

_CONTEXT = 3  # lines around a hunk


class Report(NamedTuple):
    """What was checked, and what is wrong."""

    editions: int
    """How many have a sound header."""
    releases: int
    """With the bytes of how many they were compared."""
    errors: List[JhpatchError]


def check(
    directories: List[str], wheel_paths: List[str], wheel_directory: Optional[str]
) -> Report:
    """Check patch directories, and compare them with the releases of wheels.

    ``wheel_paths`` are wheels; with ``wheel_directory``, to which pip downloads missing wheels,
    the first and last release of each range are compared. Raises Usage, Failed.
    """
    editions: List[Edition] = []
    errors: List[JhpatchError] = []
    for directory in directories:
        sound, header_errors = _read_directory(directory)
        editions += sound
        errors += header_errors
    errors += catalog.overlaps(sorted(editions, key=catalog.in_order))
    errors += _conflicts(editions)
    for edition in editions:
        errors += _check_edition(edition)
    releases = 0
    for edition, version, files in _releases(editions, wheel_paths, wheel_directory):
        errors += _check_release(edition, version, files)
        releases += 1
    return Report(len(editions), releases, errors)


def _read_directory(directory: str) -> Tuple[List[Edition], List[JhpatchError]]:
    """Return the editions whose headers are sound, in order; an error for each other file."""
    editions: List[Edition] = []
    errors: List[JhpatchError] = []
    for path in catalog.files([directory]):
        try:
            editions.append(read_edition(path))
        except BadPatch as error:
            errors.append(error)
    sources = {os.path.realpath(row.source) for edition in editions for row in edition.adds}
    errors += _stray_files(directory, sources)
    return sorted(editions, key=catalog.in_order), errors


def _stray_files(directory: str, sources: Set[str]) -> Iterator[BadPatch]:
    """Files that no patch names: a source whose row was forgotten, an editor's backup."""
    for distribution in catalog.distribution_dirs(directory):
        top = os.path.join(directory, distribution)
        for parent, directories, names in os.walk(top):
            directories[:] = [name for name in directories if name != "__pycache__"]
            for path in (os.path.join(parent, name) for name in sorted(names)):
                is_patch = parent == top and path.endswith(".patch")
                if not is_patch and os.path.realpath(path) not in sources:
                    yield BadPatch(
                        "a file that no patch names",
                        path=path,
                        expected="<first release>-<slug>.patch, or the source of an Adds row",
                        found=os.path.basename(path),
                    )


def _conflicts(editions: List[Edition]) -> Iterator[JhpatchError]:
    """Two patches for one file of one release: neither can be applied."""
    for first, second in itertools.combinations(editions, 2):
        if second.patch != first.patch and second.distribution == first.distribution:
            shared = {change.path for change in first.changes}
            shared &= {change.path for change in second.changes}
            if shared and first.meets(second):
                yield _bad(
                    second,
                    "%s and %s change the same file" % (first.patch, second.patch),
                    "a file of a release belongs to one patch",
                    ", ".join(sorted(shared)),
                )


def _check_edition(edition: Edition) -> Iterator[JhpatchError]:
    """What is wrong with an edition by itself."""
    yield from _check_versions(edition)
    try:
        if edition.not_needed is None:
            yield from _check_hunks(edition)
        elif edition.diff.strip():
            yield _bad(edition, "a patch that is not needed has a diff", "nothing below the ---")
    except BadPatch as error:
        yield error
    for addition in edition.adds:
        yield from _check_addition(edition, addition.path, addition.source)


def _releases(
    editions: List[Edition], wheel_paths: List[str], wheel_directory: Optional[str]
) -> Iterator[Tuple[Edition, str, Dict[str, bytes]]]:
    """Return each edition with a release that it is for, and the files of that release."""
    named = [(path,) + wheels.release_of(path) for path in wheel_paths]
    for edition in editions:
        paths = [change.path for change in edition.changes]
        for wheel, name, version in named:
            if edition.distribution == normalized(name) and edition.fits(version):
                yield edition, version, wheels.read_files(wheel, paths)
        if wheel_directory and paths:
            ends = [end for row in edition.ranges for end in (row.low, row.high) if end]
            for version in sorted(set(ends), key=ends.index):
                wheel = wheels.fetch(edition.package, version, wheel_directory)
                yield edition, version, wheels.read_files(wheel, paths)


def _check_release(
    edition: Edition, version: str, files: Dict[str, bytes]
) -> Iterator[JhpatchError]:
    """Compare the files of a release, by path, with the hashes of an edition."""
    release = "%s %s" % (edition.package, version)
    for change in edition.changes:
        digest = sha256(files[change.path]) if change.path in files else None
        if digest != change.before:
            yield _bad(
                edition,
                "Before is not what %s has as %s" % (release, change.path),
                "sha256:" + change.before,
                "sha256:" + digest if digest else "no such file",
            )
            return
    try:
        after = engine.after_of(edition, files)
    except BadPatch as error:
        yield error
        return
    for _, reason in _uncompilable(after):
        yield _bad(edition, "the patched file of %s does not compile" % release, found=reason)


def _uncompilable(files: Dict[str, bytes]) -> List[List[str]]:
    """Return ``[path, message]`` of each file that this Python does not compile."""
    return compiler.check({path: data.decode("latin-1") for path, data in files.items()})


def _check_versions(edition: Edition) -> Iterator[JhpatchError]:
    release = edition.name.partition("-")[0]
    first = edition.ranges[0]
    if edition.not_needed is None and first.low != release:
        yield _bad(edition, "the file is not named after its first release", first.low, release)
    for row in edition.ranges:
        if row.low.partition(".")[0] != row.high.partition(".")[0]:
            yield _bad(
                edition,
                "a range spans two major versions: a later release of the first would count",
                ">=X,<=Y | >=Z,<=W",
                edition.versions,
            )


def _check_hunks(edition: Edition) -> Iterator[JhpatchError]:
    for path, hunks in sorted(engine.hunks(edition).items()):
        shift = 0
        for hunk in hunks:
            line = hunk.old_start + 1
            if hunk.new_start - hunk.old_start != shift:
                yield _bad(
                    edition,
                    "the hunk at line %d of %s is not where those before it put it" % (line, path),
                    "+%d" % (line + shift),
                    "+%d" % (hunk.new_start + 1),
                )
            shift += len(hunk.new) - len(hunk.old)
            above = _common_lines(hunk.old, hunk.new)
            below = _common_lines(hunk.old[::-1], hunk.new[::-1])
            # The first hunk may begin at the start of the file, the last may reach its end.
            if (above < _CONTEXT and hunk.old_start) or (
                below < _CONTEXT and hunk is not hunks[-1]
            ):
                yield _bad(
                    edition,
                    "the hunk at line %d of %s has too little context" % (line, path),
                    "%d lines on each side" % _CONTEXT,
                )
            for text in hunk.new:
                if text not in hunk.old and text != text.rstrip():
                    yield _bad(edition, "a line with a blank at its end", found=repr(text))


def _common_lines(old: Tuple[bytes, ...], new: Tuple[bytes, ...]) -> int:
    """Return how many lines are the same from the start on."""
    pairs = enumerate(zip(old, new))
    return next((number for number, (a, b) in pairs if a != b), min(len(old), len(new)))


def _check_addition(edition: Edition, path: str, source: str) -> Iterator[JhpatchError]:
    try:
        with open(source, "rb") as file:
            data = file.read()
    except OSError as error:
        yield _bad(edition, "Adds names a source that is not there: %s" % error.strerror, source)
        return
    for _, reason in _uncompilable({path: data} if path.endswith(".py") else {}):
        yield _bad(edition, "what Adds names does not compile: %s" % source, found=reason)


def _bad(edition: Edition, message: str, expected: str = "", found: str = "") -> BadPatch:
    return BadPatch(message, path=edition.file, expected=expected or None, found=found or None)
