"""Patch files → what is wrong with them.

The header by ``patchfile``, the diff by ``engine``; here the rest of the form, and
the bytes, where wheels are at hand: Before is what was released, and the diff gives
After from it.
"""

import os
from typing import Dict, Iterator, List, Tuple

from jhpatch.errors import BadPatch, JhpatchError
from jhpatch.patchset import catalog, engine
from jhpatch.patchset.edition import Edition, read_edition
from jhpatch.system import compiler, sha256

_CONTEXT = 3


def editions_of(tree: str) -> Tuple[List[Edition], List[JhpatchError]]:
    """The editions of a tree whose headers are sound, in order; an error for each other file."""
    editions: List[Edition] = []
    errors: List[JhpatchError] = []
    for path in catalog.files([tree]):
        try:
            editions.append(read_edition(path))
        except BadPatch as error:
            errors.append(error)
    sources = {os.path.realpath(one.source) for edition in editions for one in edition.adds}
    errors += _strays(tree, sources)
    return sorted(editions, key=catalog.in_order), errors


def findings(edition: Edition) -> Iterator[JhpatchError]:
    """What is wrong with an edition by itself."""
    yield from _of_versions(edition)
    try:
        if edition.not_needed is None:
            yield from _of_diff(edition)
        elif edition.diff.strip():
            yield _bad(edition, "a patch that is not needed has a diff", "nothing below the ---")
    except BadPatch as error:
        yield error
    for addition in edition.adds:
        yield from _of_addition(edition, addition.path, addition.source)


def conflicts(editions: List[Edition]) -> Iterator[JhpatchError]:
    """Two patches for one file of one release: a site takes neither."""
    for number, first in enumerate(editions):
        for second in editions[number + 1 :]:
            if second.patch != first.patch and second.distribution == first.distribution:
                shared = {one.path for one in first.changes} & {one.path for one in second.changes}
                if shared and first.meets(second):
                    yield _bad(
                        second,
                        "%s and %s change the same file" % (first.patch, second.patch),
                        "a file of a release belongs to one patch",
                        ", ".join(sorted(shared)),
                    )


def ends(edition: Edition) -> List[str]:
    """The first and the last release of each range, each once."""
    found = [end for one in edition.ranges for end in (one.low, one.high) if end]
    return sorted(set(found), key=found.index)


def of_release(edition: Edition, version: str, files: Dict[str, bytes]) -> Iterator[JhpatchError]:
    """What is wrong with the bytes: ``files`` are those of a release, by path."""
    what = "%s %s" % (edition.package, version)
    for change in edition.changes:
        found = sha256.sha256(files[change.path]) if change.path in files else None
        if found != change.before:
            yield _bad(
                edition,
                "Before is not what %s has as %s" % (what, change.path),
                "sha256:" + change.before,
                "sha256:" + found if found else "no such file",
            )
            return
    try:
        after = engine.after_of(edition, files)
    except BadPatch as error:
        yield error
        return
    for _, why in _uncompilable(after):
        yield _bad(edition, "the patched file of %s does not compile" % what, found=why)


def _uncompilable(files: Dict[str, bytes]) -> List[List[str]]:
    """``[path, message]`` of each file that this Python does not compile."""
    return compiler.check({path: data.decode("latin-1") for path, data in files.items()})


def _strays(tree: str, sources: "set[str]") -> Iterator[BadPatch]:
    """Files that no patch names: a source whose row was forgotten, an editor's leftover."""
    for folder in catalog.distribution_dirs(tree):
        for above, folders, names in os.walk(os.path.join(tree, folder)):
            folders[:] = [name for name in folders if name != "__pycache__"]
            for path in (os.path.join(above, name) for name in sorted(names)):
                is_patch = above == os.path.join(tree, folder) and path.endswith(".patch")
                if not is_patch and os.path.realpath(path) not in sources:
                    yield BadPatch(
                        "a file that no patch names",
                        path=path,
                        expected="<first release>-<slug>.patch, or the source of an Adds row",
                        found=os.path.basename(path),
                    )


def _of_versions(edition: Edition) -> Iterator[JhpatchError]:
    release = edition.name.partition("-")[0]
    first = edition.ranges[0]
    if edition.not_needed is None and first.low != release:
        yield _bad(edition, "the file is not named after its first release", first.low, release)
    for one in edition.ranges:
        if one.low.partition(".")[0] != one.high.partition(".")[0]:
            yield _bad(
                edition,
                "a range spans two major versions: a later release of the first would count",
                ">=X,<=Y | >=Z,<=W",
                edition.versions,
            )


def _of_diff(edition: Edition) -> Iterator[JhpatchError]:
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
            ahead = _common(hunk.old, hunk.new)
            behind = _common(hunk.old[::-1], hunk.new[::-1])
            # The first lines of a file have fewer above, and the last hunk may reach its end.
            if (ahead < _CONTEXT and hunk.old_start) or (
                behind < _CONTEXT and hunk is not hunks[-1]
            ):
                yield _bad(
                    edition,
                    "the hunk at line %d of %s has too little context" % (line, path),
                    "%d lines on each side" % _CONTEXT,
                )
            for text in hunk.new:
                if text not in hunk.old and text != text.rstrip():
                    yield _bad(edition, "a line with a blank at its end", found=repr(text))


def _common(one: Tuple[bytes, ...], other: Tuple[bytes, ...]) -> int:
    """How many lines are the same from the start on."""
    pairs = enumerate(zip(one, other))
    return next((number for number, (a, b) in pairs if a != b), min(len(one), len(other)))


def _of_addition(edition: Edition, path: str, source: str) -> Iterator[JhpatchError]:
    try:
        with open(source, "rb") as file:
            data = file.read()
    except OSError as error:
        yield _bad(edition, "Adds names a source that is not there: %s" % error.strerror, source)
        return
    for _, why in _uncompilable({path: data} if path.endswith(".py") else {}):
        yield _bad(edition, "what Adds names does not compile: %s" % source, found=why)


def _bad(edition: Edition, message: str, expected: str = "", found: str = "") -> BadPatch:
    return BadPatch(message, path=edition.file, expected=expected or None, found=found or None)
