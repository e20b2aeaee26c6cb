"""The rules for patch files.

``edition`` checks the header, and ``engine`` the diff. This module checks the other rules of
patches/README.md, and compares patch files with the wheels of releases: Before must be what was
released, and the diff must produce After.
"""

import functools
import itertools
import os
from typing import Dict, Iterable, Iterator, List, Optional, Set, Tuple

from jhpatch.errors import BadPatch, Failed, JhpatchError
from jhpatch.maintenance import release_files, wheels
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset import catalog, engine
from jhpatch.patchset.edition import Change, Edition, normalized, read_edition
from jhpatch.system import compiler

_CONTEXT = 3  # lines around a hunk


class Report(NamedTuple):
    """What was checked, and the errors that were found."""

    editions: int
    """The number of editions with a valid header."""
    releases: int
    """The number of comparisons of an edition with a release."""
    errors: List[JhpatchError]
    notes: Tuple[str, ...] = ()
    """What was not compared, and why."""


def check(
    directories: List[str], wheel_paths: List[str], wheel_directory: Optional[str]
) -> Report:
    """Check patch directories, and compare them with the releases of wheels.

    ``wheel_paths`` are wheels; with ``wheel_directory``, to which pip downloads missing wheels,
    every release of each range is compared. Raises Usage, Failed.
    """
    editions: List[Edition] = []
    errors: List[JhpatchError] = []
    for directory in directories:
        sound, header_errors = _read_directory(directory)
        editions += sound
        errors += header_errors
    errors += catalog.overlaps(sorted(editions, key=catalog.in_order))
    errors += _conflicts(editions)
    errors += _copied_hashes(editions)
    for edition in editions:
        errors += _check_edition(edition)
    releases = 0
    notes: List[str] = []
    for edition, version, wheel in _releases(editions, wheel_paths, wheel_directory, notes):
        errors += _check_release(edition, version, wheel)
        releases += 1
    return Report(len(editions), releases, errors, tuple(notes))


def check_edition(edition: Edition, others: Iterable[Edition]) -> Iterator[JhpatchError]:
    """Yield the errors of a new edition, by itself and with ``others``."""
    yield from _check_edition(edition)
    for other in others:
        yield from catalog.overlaps(sorted([edition, other], key=catalog.in_order))
        yield from _conflicts([other, edition])


def _read_directory(directory: str) -> Tuple[List[Edition], List[JhpatchError]]:
    """Return the editions with valid headers, in order, and an error for each other file."""
    editions: List[Edition] = []
    errors: List[JhpatchError] = []
    for path in catalog.files([directory]):
        try:
            editions.append(read_edition(path))
        except BadPatch as error:
            errors.append(error)
    sources = {os.path.realpath(row.source) for edition in editions for row in edition.adds}
    strays = list(_stray_files(directory, sources))
    reported = {error.path for error in strays}
    for path in catalog.misplaced(directory):
        if path not in reported:
            strays.append(BadPatch("jhpatch never reads this patch", path, catalog.LAYOUT))
    errors += strays
    return sorted(editions, key=catalog.in_order), errors


def _stray_files(directory: str, sources: Set[str]) -> Iterator[BadPatch]:
    """Yield an error for each file that no patch names: a forgotten source, an editor's backup."""
    for distribution in catalog.distribution_dirs(directory):
        top = os.path.join(directory, distribution)
        for parent, directories, names in os.walk(top):
            directories[:] = [name for name in directories if name != "__pycache__"]
            for path in (os.path.join(parent, name) for name in sorted(names)):
                is_patch = parent == top and path.endswith(".patch")
                if not is_patch and os.path.realpath(path) not in sources:
                    yield BadPatch(
                        "no patch names this file",
                        path=path,
                        expected="<first release>-<name>.patch, or the source of an Adds row",
                        found=os.path.basename(path),
                    )


def _conflicts(editions: List[Edition]) -> Iterator[JhpatchError]:
    """Yield an error for each pair of patches that change one file, or add different ones."""
    for first, second in itertools.combinations(editions, 2):
        if second.patch != first.patch and second.distribution == first.distribution:
            of_first, of_second = (
                ({change.path for change in edition.changes}, {row.path for row in edition.adds})
                for edition in (first, second)
            )
            shared = of_first[0] & (of_second[0] | of_second[1]) | of_first[1] & of_second[0]
            if shared and first.meets(second):
                yield _bad(
                    second,
                    "%s and %s change the same file" % (first.patch, second.patch),
                    "a file of a release belongs to one patch",
                    ", ".join(sorted(shared)),
                )
            added = {addition.path: addition.content for addition in first.adds}
            differ = [
                addition.path
                for addition in second.adds
                if added.get(addition.path, addition.content) != addition.content
            ]
            if differ and first.meets(second):
                yield _bad(
                    second,
                    "%s and %s add different versions of the same file"
                    % (first.patch, second.patch),
                    "one source for a file that two patches add",
                    ", ".join(sorted(differ)),
                )


def _copied_hashes(editions: List[Edition]) -> Iterator[JhpatchError]:
    """Yield an error for two editions with the same hashes of a file, but different diffs."""
    seen: Dict[Tuple[str, Change], Tuple[Edition, engine.FileDiff]] = {}
    for edition in editions:
        try:
            diffs = engine.file_diffs(edition) if edition.changes else {}
        except BadPatch:
            continue  # _check_edition reports it
        for change in edition.changes:
            row = edition, diffs[change.path]
            other, diff = seen.setdefault((edition.distribution, change), row)
            if diff != row[1]:
                message = "the hashes of %s are the same as in %s, but the diffs differ"
                yield _bad(
                    edition,
                    message % (change.path, other.name),
                    "the SHA-256 of this release's files: lint --fix-hashes --wheel WHEEL",
                )


def _check_edition(edition: Edition) -> Iterator[JhpatchError]:
    """Yield the errors of an edition by itself."""
    yield from _check_versions(edition)
    yield from _check_places(edition)
    try:
        if edition.not_needed is None:
            yield from _check_hunks(edition)
        elif edition.diff.strip():
            yield _bad(
                edition, "a patch that is not needed has a diff", "nothing below the line ---"
            )
    except BadPatch as error:
        yield error
    for addition in edition.adds:
        yield from _check_addition(edition, addition.path, addition.source)


def _releases(
    editions: List[Edition],
    wheel_paths: List[str],
    wheel_directory: Optional[str],
    notes: List[str],
) -> Iterator[Tuple[Edition, str, str]]:
    """Yield each edition with each release to compare, and the wheel of that release."""
    named = [(path,) + wheels.release_of(path) for path in wheel_paths]
    released: Dict[str, List[str]] = {}
    for edition in editions:
        for wheel, name, version in named:
            if edition.distribution == normalized(name) and edition.fits(version):
                yield edition, version, wheel
        if wheel_directory and edition.changes:
            if edition.distribution not in released:
                versions = _released(edition.package, wheel_directory, notes)
                released[edition.distribution] = versions
            ends = [end for row in edition.ranges for end in (row.low, row.high) if end]
            fitting = [row for row in released[edition.distribution] if edition.fits(row)]
            for version in dict.fromkeys(ends + fitting):
                yield edition, version, wheels.fetch(edition.package, version, wheel_directory)


def _released(package: str, wheel_directory: str, notes: List[str]) -> List[str]:
    """Return the releases of a distribution on the index and in a directory of wheels."""
    local = [version for _, version in wheels.of_distribution(package, wheel_directory)]
    try:
        return wheels.released_versions(package) + wheels.yanked_versions(package) + local
    except Failed as error:
        notes.append(
            "%s: compared only the wheels in the directory: %s" % (package, error.message)
        )
        return local


def _check_release(edition: Edition, version: str, wheel: str) -> Iterator[JhpatchError]:
    """Compare the files of a release's wheel, by path, with the hashes of an edition."""
    files = wheels.read_files(wheel, [change.path for change in edition.changes])
    release = "%s %s" % (edition.package, version)
    for change in edition.changes:
        digest = release_files.digest(files.get(change.path))
        if digest != change.before:
            yield _bad(
                edition,
                "%s of %s differs from its Before row" % (change.path, release),
                "sha256:" + change.before if change.before else "no such file",
                "sha256:" + digest if digest else "no such file",
            )
            return
    new = [change.path for change in edition.changes if change.before is None]
    tops = wheels.top_directories(wheel)
    for path in new + [addition.path for addition in edition.adds]:
        if _top(path) not in tops:
            packages = sorted(top for top in tops if not top.endswith((".dist-info", ".data")))
            message = "a new file is outside of the packages of " + release
            yield _bad(edition, message, ", ".join(packages), path)
            return
    try:
        before = {change.path: files.get(change.path) for change in edition.changes}
        after = engine.after_of(edition, before)
    except BadPatch as error:
        yield error
        return
    sources = {path: data for path, data in after.items() if data and path.endswith(".py")}
    for _, reason in _uncompilable(sources):
        yield _bad(edition, "the patched file of %s does not compile" % release, found=reason)


def _uncompilable(files: Dict[str, bytes]) -> List[List[str]]:
    """Return ``[path, message]`` of each file that this Python does not compile."""
    return compiler.check({path: data.decode("latin-1") for path, data in files.items()})


def _check_places(edition: Edition) -> Iterator[JhpatchError]:
    """Yield an error if a new file is not in the package that the patch changes."""
    tops = {_top(change.path) for change in edition.changes if change.before is not None}
    new = [change.path for change in edition.changes if change.before is None]
    for path in new + [addition.path for addition in edition.adds]:
        if not _top(path) or (tops and _top(path) not in tops):
            yield _bad(
                edition,
                "a new file is outside of the package that the patch changes",
                "a path in " + " or ".join(sorted(filter(None, tops)) or ["the package"]),
                path,
            )
            return


def _top(path: str) -> str:
    """Return the first directory of a path; "" for a file of the site itself."""
    return path.partition("/")[0] if "/" in path else ""


def _check_versions(edition: Edition) -> Iterator[JhpatchError]:
    release = edition.name.partition("-")[0]
    first = edition.ranges[0]
    if edition.not_needed is None and first.low != release:
        yield _bad(edition, "the file is not named after its first release", first.low, release)
    for row in edition.ranges:
        if row.low.partition(".")[0] != row.high.partition(".")[0]:
            yield _bad(
                edition,
                "a range spans two major versions, so it includes later releases of the first",
                ">=X,<=Y | >=Z,<=W",
                edition.versions,
            )


def _check_hunks(edition: Edition) -> Iterator[JhpatchError]:
    kinds = {change.path: (not change.before, not change.after) for change in edition.changes}
    is_ours = dict(edition.fields).get("Origin") == "vendor"
    for path, (hunks, is_new, is_removed) in sorted(engine.file_diffs(edition).items()):
        if kinds[path] != (is_new, is_removed):
            yield _bad(
                edition,
                "the header and the diff do not agree on whether %s is created or removed" % path,
                "Before: %s none for --- /dev/null, After: %s none for +++ /dev/null"
                % (path, path),
            )
        shift = 0
        for hunk in hunks:
            line = hunk.old_start + 1
            if hunk.new_start - hunk.old_start != shift:
                yield _bad(
                    edition,
                    "the hunk at line %d of %s has a wrong new line number" % (line, path),
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
                bare = text.rstrip(b"\r\n")
                if is_ours and text not in hunk.old and bare != bare.rstrip():
                    yield _bad(edition, "an added line has trailing whitespace", found=repr(bare))


def _common_lines(old: Tuple[bytes, ...], new: Tuple[bytes, ...]) -> int:
    """Return the number of equal lines at the start."""
    pairs = enumerate(zip(old, new))
    return next((number for number, (a, b) in pairs if a != b), min(len(old), len(new)))


def _check_addition(edition: Edition, path: str, source: str) -> Iterator[JhpatchError]:
    try:
        with open(source, "rb") as file:
            data = file.read()
    except OSError as error:
        yield _bad(edition, "cannot read a source that Adds names: %s" % error.strerror, source)
        return
    for reason in _reasons(os.path.basename(path), data) if path.endswith(".py") else ():
        yield _bad(edition, "a file that Adds names does not compile: %s" % source, found=reason)


@functools.lru_cache(maxsize=None)  # the patches share the modules of jhpatch
def _reasons(name: str, data: bytes) -> Tuple[str, ...]:
    return tuple(reason for _, reason in _uncompilable({name: data}))


def _bad(edition: Edition, message: str, expected: str = "", found: str = "") -> BadPatch:
    return BadPatch(message, path=edition.file, expected=expected or None, found=found or None)
