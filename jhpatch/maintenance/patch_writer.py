"""The text of patch files, their hashes, and their place in a patch directory."""

import re
from typing import Dict, Iterable, List, Optional, Tuple

from jhpatch.errors import BadPatch, Failed, Refused
from jhpatch.maintenance import wheels
from jhpatch.patchset import catalog, engine
from jhpatch.patchset.edition import Edition, edition_of, normalized
from jhpatch.system.files import write_file
from jhpatch.system.sha256 import sha256

_UNKNOWN = {"Before": "0" * 64, "After": "f" * 64}
_ROW = re.compile(r"^(Before|After): *(.+?)(?: +(?:sha256:\S*|none))? *$", re.M)


def text_of(fields: Iterable[Tuple[str, str]], diff: str) -> str:
    """Return a patch file; a value of several lines is folded (RFC 822, section 3.1)."""
    header = ("%s: %s\n" % (name, value.replace("\n", "\n ")) for name, value in fields)
    return "".join(header) + "---\n" + diff


def hash_row(path: str, data: Optional[bytes]) -> str:
    """Return the value of a ``Before`` or ``After`` row; the data of a missing file is None."""
    return "%s %s" % (path, "none" if data is None else "sha256:" + sha256(data))


def fill_hashes(directories: List[str], wheel_paths: List[str]) -> List[str]:
    """Fill in the hashes of each patch for the release of a wheel; return the patch files.

    All texts are computed before the first is written. Raises Usage, BadPatch, Failed, and
    Refused if no patch names the release of a wheel.
    """
    texts: Dict[str, str] = {}
    for wheel in wheel_paths:
        name, version = wheels.release_of(wheel)
        for path in catalog.files(directories, {normalized(name)}):
            edition = _read_without_hashes(path)
            if edition.changes and edition.fits(version):
                paths = [change.path for change in edition.changes]
                texts[path] = _with_hashes(edition, wheels.read_files(wheel, paths))
    if not texts:
        raise Refused(
            "no patch names the release of a wheel",
            path=", ".join(wheel_paths),
            expected="Versions: ==X in a patch of that distribution",
            found="none in " + ", ".join(directories),
            next="add the release to Versions, and name the patch directory with --patches DIR",
        )
    for path, text in sorted(texts.items()):
        write(path, text)
    return sorted(texts)


def _read_without_hashes(path: str) -> Edition:
    """Return an edition whose hashes, which may be wrong or missing, are replaced by zeros.

    Raises BadPatch for any other error of the header, Failed.
    """
    header, mark, diff = _parts(path)

    def unknown(match: "re.Match[str]") -> str:
        name, row_path = match.group(1), match.group(2)
        return "%s: %s sha256:%s" % (name, row_path, _UNKNOWN[name])

    return edition_of(path, encoded(_ROW.sub(unknown, header) + mark + diff))


def _with_hashes(edition: Edition, release: Dict[str, bytes]) -> str:
    """Return the text of the patch file with the hashes of ``release``, unpatched, by path.

    Raises BadPatch if a file is missing or the diff does not fit.
    """
    files = {change.path: release.get(change.path) for change in edition.changes}
    for path, file_diff in engine.file_diffs(edition).items():
        if files[path] is None and not file_diff.is_new:
            raise BadPatch(
                "the release has no such file", edition.file, expected=path, found="nothing"
            )
    data = {"Before": files, "After": engine.unchecked_after_of(edition, files)}

    def row(match: "re.Match[str]") -> str:
        name, path = match.group(1), match.group(2)
        return "%s: %s" % (name, hash_row(path, data[name][path]))

    header, mark, diff = _parts(edition.file)
    return _ROW.sub(row, header) + mark + diff


def with_versions(edition: Edition, versions: str) -> str:
    """Return the text of the patch file with another ``Versions``."""
    header, mark, diff = _parts(edition.file)
    return re.sub(r"(?m)^Versions:.*$", "Versions: " + versions, header) + mark + diff


def write(path: str, text: str, is_new: bool = False) -> None:
    """Write a whole patch file. Raises Refused if ``is_new`` is set and it exists, Failed."""
    try:
        write_file(path, encoded(text), is_new=is_new)
    except FileExistsError:
        raise Refused(
            "a file with this name already exists",
            path=path,
            expected="no file at this path",
            found="a file",
            next="move this file away, then run the same command again; rebase can also write to "
            "another path with --output FILE",
        )
    except OSError as error:
        raise Failed("cannot write a patch file: %s" % error.strerror, path=path)


def _parts(path: str) -> Tuple[str, str, str]:
    """Return the header, the line after it and the diff of a patch file. Raises Failed."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read().partition("\n---\n")
    except OSError as error:
        raise Failed("cannot read a patch file: %s" % error, path=path)


def encoded(text: str) -> bytes:
    """Return the bytes of a patch file: the diff of a Latin-1 file has surrogates (PEP 383)."""
    return text.encode("utf-8", "surrogateescape")
