"""A patch file → an ``Edition``.

It is a header of RFC 822 fields, a line ``---`` and a unified diff; patches/README.md
describes it. Only the header is read here; the diff is taken apart by ``engine`` when
it must be applied.
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
_HASHED = re.compile(r"(\S+) sha256:([0-9a-f]{64})\Z")


class Change(NamedTuple):
    """A file that a patch changes: its path from the site's root and its two SHA-256."""

    path: str
    before: str
    after: str


class Edition(NamedTuple):
    """One patch file: the form that a patch has for some releases."""

    patch: str
    """The name that users type: ``<distribution>/<slug>``."""
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
    """The whole patch file."""

    @property
    def diff(self) -> bytes:
        """The unified diff, as it stands below the ``---``."""
        return _split(self.data, self.file)[1]

    @property
    def distribution(self) -> str:
        """The package's name as PEP 503 compares it."""
        return normalized(self.package)

    def fits(self, version: str) -> bool:
        """Whether this edition was made for ``version``."""
        return any(one.holds(version) for one in self.ranges)

    def meets(self, other: "Edition") -> bool:
        """Whether there is a release that both were made for."""
        return any(a.meets(b) for a in self.ranges for b in other.ranges)


def normalized(name: str) -> str:
    """A distribution's name as names compare (PEP 503), with ``_`` for ``-``."""
    return re.sub(r"[-_.]+", "_", name).lower()


def read_edition(path: str, read: Callable[[str], bytes] = additions.read_patch) -> Edition:
    """The patch file at ``path``, in the directory of its distribution. Raises BadPatch."""
    return edition_of(path, additions.read_patch(path), read)


def edition_of(
    path: str, data: bytes, read: Callable[[str], bytes] = additions.read_patch
) -> Edition:
    """The bytes of a patch file that lies, or is to lie, at ``path``.

    ``read`` gives the bytes of a helper. Raises BadPatch.
    """
    folder = os.path.basename(os.path.dirname(path))
    stem = os.path.basename(path)[: -len(".patch")]
    named = _NAME.match(stem)
    if not named:
        raise BadPatch(
            "a patch file's name does not say what it is",
            path=path,
            expected="<first release>-<slug>.patch",
            found=os.path.basename(path),
        )
    fields = tuple(_fields(_split(data, path)[0], path))
    one = {name: value for name, value in fields if name not in _REPEATED}
    _require(one, path, folder)
    not_needed = one.get("Not-Needed")
    edition = Edition(
        patch="%s/%s" % (folder, named.group(2)),
        name=stem,
        package=one["Package"],
        versions=one["Versions"],
        ranges=_ranges(one["Versions"], path, wildcard=not_needed is not None),
        description=" ".join(one["Description"].split()),
        not_needed=" ".join(not_needed.split()) if not_needed is not None else None,
        changes=_changes(fields, path),
        adds=tuple(additions.parse(value, path, read) for name, value in fields if name == "Adds"),
        file=path,
        fields=fields,
        data=data,
    )
    if (not_needed is None) != bool(edition.changes):
        raise BadPatch(
            "a patch changes files or is not needed, one of the two",
            path=path,
            expected="Before and After, or Not-Needed",
            found="both" if edition.changes else "neither",
        )
    _refuse_repeated(edition)
    return edition


def digest(edition: Edition) -> str:
    """The SHA-256, as hex digits, of a patch's bytes and of the files that it adds.

    Raises BadPatch where one of these cannot be read.
    """
    total = hasher(edition.data)
    for addition in edition.adds:
        total.update(addition.data)
    return str(total.hexdigest())


def _require(one: Dict[str, str], path: str, folder: str) -> None:
    for name in ("Package", "Versions", "Description"):
        if not one.get(name):
            raise BadPatch("a patch without a field", path=path, expected=name + ":", found="none")
    if normalized(one["Package"]) != normalized(folder):
        raise BadPatch(
            "a patch lies in the folder of another distribution",
            path=path,
            expected="Package: " + folder,
            found="Package: " + one["Package"][:120],
        )


def _refuse_repeated(edition: Edition) -> None:
    paths = {change.path for change in edition.changes}
    for addition in edition.adds:
        if addition.path in paths:
            raise BadPatch(
                "a patch adds a file that it names already",
                path=edition.file,
                expected="each file once, in Before and After or in Adds",
                found=addition.path,
            )
        paths.add(addition.path)


def _split(data: bytes, path: str) -> Tuple[bytes, bytes]:
    head, found, diff = data.partition(b"\n---\n")
    if not found or len(head) > _HEADER_CAP:
        raise BadPatch(
            "a patch without the end of its header",
            path=path,
            expected="a line --- in the first %d KiB" % (_HEADER_CAP // 1024),
            found="none",
        )
    return head + b"\n", diff


def _fields(head: bytes, path: str) -> Iterator[Tuple[str, str]]:
    """The header's fields, folded lines joined by newlines (RFC 822, section 3.1)."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadPatch("a header that is not UTF-8: %s" % error, path=path)
    fields: List[Tuple[str, str]] = []
    for number, line in enumerate(text.split("\n")[:-1], 1):
        if line[:1] in (" ", "\t") and fields:
            fields[-1] = (fields[-1][0], fields[-1][1] + "\n" + line.strip())
            continue
        name, colon, value = line.partition(":")
        if not colon or name not in FIELDS:
            raise BadPatch(
                "line %d of a header is no known field" % number,
                path=path,
                expected="one of " + ", ".join(sorted(FIELDS)),
                found=line[:80],
            )
        if name not in _REPEATED and any(name == other for other, _ in fields):
            raise BadPatch("a field that may stand once stands twice", path=path, found=name + ":")
        fields.append((name, value.strip()))
    return iter(fields)


def _changes(fields: Tuple[Tuple[str, str], ...], path: str) -> Tuple[Change, ...]:
    before = dict(_hashed(value, path) for name, value in fields if name == "Before")
    after = dict(_hashed(value, path) for name, value in fields if name == "After")
    rows = sum(name in ("Before", "After") for name, _ in fields)
    if set(before) != set(after) or rows != 2 * len(before):
        raise BadPatch(
            "Before and After do not name the same files, each once",
            path=path,
            expected=", ".join(sorted(before))[:400] or "a Before for each After",
            found=", ".join(sorted(after))[:400] or "no After",
        )
    return tuple(Change(name, before[name], after[name]) for name in sorted(before))


def _hashed(value: str, path: str) -> Tuple[str, str]:
    match = _HASHED.match(value)
    if not match or not additions.is_of_a_package(match.group(1)):
        raise BadPatch(
            "a row of hashes that cannot be read",
            path=path,
            expected="<path from the site's root> sha256:<64 hex digits>",
            found=value[:120],
        )
    return match.group(1), match.group(2)


def _ranges(versions: str, path: str, wildcard: bool) -> Tuple[Range, ...]:
    try:
        return parse(versions, wildcard)
    except ValueError:
        raise BadPatch(
            "a Versions field that is open-ended or cannot be read",
            path=path,
            expected="==X, or >=X,<=Y between released versions, joined by |",
            found=versions[:120],
        )
