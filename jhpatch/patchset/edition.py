"""The parsing of a patch file into an ``Edition``.

A patch file is a header of RFC 822 fields, a line ``---`` and a unified diff; see
patches/README.md. This module parses the header; ``engine`` parses the diff to apply it.
"""

import os
import re
from typing import Callable, Dict, Iterator, List, Optional, Tuple

from jhpatch.errors import BadPatch
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset import additions
from jhpatch.patchset.additions import Addition
from jhpatch.patchset.versions import Range, parse
from jhpatch.system.sha256 import hasher

FIELDS = frozenset(
    "Package Versions Description Origin Forwarded Remove-When Not-Needed Before After Adds "
    "Author Bug Last-Update Applied-Upstream".split()
)
_REPEATED = frozenset(["Before", "After", "Adds", "Bug", "Author"])
_HEADER_CAP = 512 * 1024  # the hashes of two thousand files
_NAME = re.compile(r"([0-9][0-9A-Za-z.+!_]{0,63})-([a-z0-9][a-z0-9-]*)\Z")
_HASH_ROW = re.compile(r"(.+) (?:sha256:([0-9a-f]{64})|none)\Z")


class Change(NamedTuple):
    """A file that a patch changes: its path from the site's root, its old and new SHA-256.

    A SHA-256 of None means no file: the patch creates it, or removes it.
    """

    path: str
    before: Optional[str]
    after: Optional[str]


class Edition(NamedTuple):
    """A patch file: the patch for certain releases."""

    patch: str
    """The name that users type, ``<distribution>/<name>``."""
    name: str
    """The file's name without ``.patch``."""
    package: str
    versions: str
    ranges: Tuple[Range, ...]
    description: str
    not_needed: Optional[str]
    changes: Tuple[Change, ...]
    adds: Tuple[Addition, ...]
    file: str
    fields: Tuple[Tuple[str, str], ...]
    data: bytes
    """The bytes of the whole patch file."""

    @property
    def diff(self) -> bytes:
        """The unified diff, below the ``---``."""
        return _split_header(self.data, self.file)[1]

    @property
    def distribution(self) -> str:
        """The normalized name of the package."""
        return normalized(self.package)

    def fits(self, version: str) -> bool:
        """Return whether this edition was made for ``version``."""
        return any(interval.holds(version) for interval in self.ranges)

    def meets(self, other: "Edition") -> bool:
        """Return whether both can fit the same release."""
        return any(a.meets(b) for a in self.ranges for b in other.ranges)


def normalized(name: str) -> str:
    """Normalize a distribution's name as in PEP 503, but with ``_`` for ``-``."""
    return re.sub(r"[-_.]+", "_", name).lower()


def read_edition(path: str, read: Callable[[str], bytes] = additions.read_patch) -> Edition:
    """Read the patch file at ``path``, in the directory of its distribution. Raises BadPatch."""
    return edition_of(path, additions.read_patch(path), read)


def edition_of(
    path: str, data: bytes, read: Callable[[str], bytes] = additions.read_patch
) -> Edition:
    """Parse the bytes of a patch file for ``path``, which need not exist yet.

    ``read`` returns the bytes of a helper. Raises BadPatch.
    """
    directory = os.path.basename(os.path.dirname(path))
    stem = os.path.basename(path)[: -len(".patch")]
    match = _NAME.match(stem)
    if not match:
        raise BadPatch(
            "the name of a patch file is invalid",
            path=path,
            expected="<first release>-<name>.patch",
            found=os.path.basename(path),
        )
    fields = tuple(_fields(_split_header(data, path)[0], path))
    values = {name: value for name, value in fields if name not in _REPEATED}
    _require_fields(values, path, directory)
    not_needed = values.get("Not-Needed")
    edition = Edition(
        patch="%s/%s" % (directory, match.group(2)),
        name=stem,
        package=values["Package"],
        versions=values["Versions"],
        ranges=_ranges(values["Versions"], path, wildcard=not_needed is not None),
        description=" ".join(values["Description"].split()),
        not_needed=" ".join(not_needed.split()) if not_needed is not None else None,
        changes=_changes(fields, path),
        adds=tuple(
            addition
            for name, value in fields
            if name == "Adds"
            for addition in additions.parse(value, path, read)
        ),
        file=path,
        fields=fields,
        data=data,
    )
    if (not_needed is None) != bool(edition.changes):
        raise BadPatch(
            "a patch must either change files or state that it is not needed",
            path=path,
            expected="Before and After, or Not-Needed",
            found="both" if edition.changes else "neither",
        )
    _refuse_repeated(edition)
    return edition


def digest(edition: Edition) -> str:
    """Return the SHA-256, as hex digits, of a patch's bytes and of the files that it adds.

    Raises BadPatch if one of these cannot be read.
    """
    total = hasher(edition.data)
    for addition in edition.adds:
        total.update(addition.data)
    return str(total.hexdigest())


def _require_fields(values: Dict[str, str], path: str, directory: str) -> None:
    for name in ("Package", "Versions", "Description"):
        if not values.get(name):
            raise BadPatch(
                "a required field is missing", path=path, expected=name + ":", found="none"
            )
    if normalized(values["Package"]) != normalized(directory):
        raise BadPatch(
            "a patch is in the directory of another distribution",
            path=path,
            expected="Package: " + directory,
            found="Package: " + values["Package"][:120],
        )


def _refuse_repeated(edition: Edition) -> None:
    paths = {change.path for change in edition.changes}
    for addition in edition.adds:
        if addition.path in paths:
            raise BadPatch(
                "Adds names a file that the patch already names",
                path=edition.file,
                expected="each file once, in Before and After or in Adds",
                found=addition.path,
            )
        paths.add(addition.path)


def _split_header(data: bytes, path: str) -> Tuple[bytes, bytes]:
    head, separator, diff = data.partition(b"\n---\n")
    if not separator and b"\r\n---\r\n" in data:
        raise BadPatch(
            "the patch file has CRLF line endings",
            path=path,
            expected="LF; git keeps it with a .gitattributes line '*.patch -text'",
            found="CRLF",
        )
    if not separator or len(head) > _HEADER_CAP:
        raise BadPatch(
            "the header of the patch file does not end",
            path=path,
            expected="a line --- in the first %d KiB" % (_HEADER_CAP // 1024),
            found="none",
        )
    return head + b"\n", diff


def _fields(head: bytes, path: str) -> Iterator[Tuple[str, str]]:
    """Parse the header's fields; folded lines are joined by newlines (RFC 822, section 3.1)."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadPatch("the header is not UTF-8: %s" % error, path=path)
    fields: List[Tuple[str, str]] = []
    for number, line in enumerate(text.split("\n")[:-1], 1):
        if line[:1] in (" ", "\t") and fields:
            fields[-1] = (fields[-1][0], fields[-1][1] + "\n" + line.strip())
            continue
        name, colon, value = line.partition(":")
        if not colon or name not in FIELDS:
            raise BadPatch(
                "line %d of the header is not a known field" % number,
                path=path,
                expected="one of " + ", ".join(sorted(FIELDS)),
                found=line[:80],
            )
        if name not in _REPEATED and any(name == known for known, _ in fields):
            raise BadPatch("a field occurs twice", path=path, found=name + ":")
        fields.append((name, value.strip()))
    return iter(fields)


def _changes(fields: Tuple[Tuple[str, str], ...], path: str) -> Tuple[Change, ...]:
    before = dict(_hash_row(value, path) for name, value in fields if name == "Before")
    after = dict(_hash_row(value, path) for name, value in fields if name == "After")
    rows = sum(name in ("Before", "After") for name, _ in fields)
    if set(before) != set(after) or rows != 2 * len(before):
        raise BadPatch(
            "Before and After must name the same files, and each file once",
            path=path,
            expected=", ".join(sorted(before))[:400] or "a Before for each After",
            found=", ".join(sorted(after))[:400] or "no After",
        )
    changes = tuple(Change(name, before[name], after[name]) for name in sorted(before))
    for change in changes:
        if change.before is None and change.after is None:
            raise BadPatch(
                "Before and After of a file are both none, so the patch does not change it",
                path=path,
                expected="a hash in Before, in After, or in both",
                found=change.path,
            )
    return changes


def _hash_row(value: str, path: str) -> Tuple[str, Optional[str]]:
    match = _HASH_ROW.match(value)
    if match and (match.group(1).startswith("/") or ".." in match.group(1).split("/")):
        raise BadPatch(
            "the patch changes a file outside of the site",
            path=path,
            expected="<path from the site's root>",
            found=match.group(1)[:120],
        )
    if not match:
        raise BadPatch(
            "a Before or After row cannot be parsed",
            path=path,
            expected="<path from the site's root> sha256:<64 hex digits>, or none for no file",
            found=value[:120],
        )
    if not additions.is_of_a_package(match.group(1)):
        raise BadPatch(
            "a Before or After row names a file that no patch can change",
            path=path,
            expected="a file of a package: no metadata, no bytecode, no name that a diff quotes",
            found=match.group(1)[:120],
        )
    return match.group(1), match.group(2)


def _ranges(versions: str, path: str, wildcard: bool) -> Tuple[Range, ...]:
    try:
        return parse(versions, wildcard)
    except ValueError:
        raise BadPatch(
            "the Versions field is open-ended or cannot be parsed",
            path=path,
            expected="==X, or >=X,<=Y between released versions, joined by |",
            found=versions[:120],
        )
