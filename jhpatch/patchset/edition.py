"""A patch file → an ``Edition``.

It is a header of RFC 822 fields, a line ``---`` and a unified diff; patches/README.md
describes it. Only the header is read here; the diff is taken apart by ``engine`` when
it must be applied.
"""

import errno
import functools
import os
import re
from typing import Dict, Iterator, List, Optional, Tuple

from jhpatch.errors import BadPatch
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset.versions import Range, parse
from jhpatch.system.files import read_file
from jhpatch.system.rooted_files import RootDir, is_relative
from jhpatch.system.sha256 import hasher

FIELDS = frozenset(
    "Package Versions Description Origin Forwarded Remove-When Not-Needed Before After Adds "
    "Author Bug Last-Update Applied-Upstream".split()
)
_REPEATED = frozenset(["Before", "After", "Adds", "Bug", "Author"])
_SIZE_CAP = 1024 * 1024
_ODD_FILES = {
    errno.EINVAL: "a patch that is no regular file",
    errno.EFBIG: "a patch of more than 1 MiB",
}
_HEADER_CAP = 512 * 1024  # the hashes of two thousand files
_NAME = re.compile(r"([0-9][0-9A-Za-z.+!_]{0,63})-([a-z0-9][a-z0-9-]*)\Z")
_HASHED = re.compile(r"(\S+) sha256:([0-9a-f]{64})\Z")
_HELPERS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "deployed")


class Change(NamedTuple):
    """A file that a patch changes: its path from the site's root and its two SHA-256."""

    path: str
    before: str
    after: str


class Addition(NamedTuple):
    """A file that a patch adds: its path from the site's root, and the file it is copied from."""

    path: str
    source: str

    @property
    def is_helper(self) -> bool:
        """Whether it is one of the modules that come with jhpatch."""
        return os.path.dirname(self.source) == _HELPERS


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


def edition_of(path: str, data: Optional[bytes] = None) -> Edition:
    """A patch file in the folder of its distribution; ``data`` for one that is not yet
    written there. Raises BadPatch.
    """
    return _edition(path, _read(path) if data is None else data)


@functools.lru_cache(maxsize=1024)  # a change looks three times: before, locked and after
def _edition(path: str, data: bytes) -> Edition:
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
        adds=tuple(_addition(value, path) for name, value in fields if name == "Adds"),
        file=path,
        fields=fields,
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
    """The SHA-256, as hex digits, of a patch's bytes and of the files that it adds."""
    total = hasher(_read(edition.file))
    for addition in edition.adds:
        total.update(_source(edition, addition))
    return str(total.hexdigest())


def diff_of(edition: Edition) -> bytes:
    """The unified diff of a patch file, as it stands below the ``---``."""
    return _split(_read(edition.file), edition.file)[1]


def added_bytes(edition: Edition) -> Dict[str, bytes]:
    """The files that a patch adds, by path from the site's root."""
    return {addition.path: _source(edition, addition) for addition in edition.adds}


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


@functools.lru_cache(maxsize=None)
def _read(path: str) -> bytes:
    """A patch file, or a helper. A symlink is followed: package managers install them so."""
    try:
        return read_file(path, _SIZE_CAP).data
    except (OSError, ValueError) as error:
        words = "cannot read a patch: %s" % getattr(error, "strerror", error)
        raise BadPatch(_ODD_FILES.get(getattr(error, "errno", 0), words), path=path)


def _source(edition: Edition, addition: Addition) -> bytes:
    """What is added: one of our helpers, or a plain file of the tree, never one outside."""
    if addition.is_helper:
        return _read(addition.source)
    tree = os.path.dirname(os.path.dirname(edition.file))
    path = os.path.relpath(addition.source, tree)
    try:
        return _beneath(tree, path)
    except OSError as error:
        raise BadPatch(
            "cannot read a file that a patch adds: %s: %s" % (addition.path, error.strerror),
            path=edition.file,
            expected="a plain file in the tree, reached through no symlink",
            found=path,
        )


@functools.lru_cache(maxsize=None)
def _beneath(tree: str, path: str) -> bytes:
    with RootDir(tree) as root:
        found = root.read(path, _SIZE_CAP)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return found.data


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
    if not match or not _is_of_a_package(match.group(1)):
        raise BadPatch(
            "a row of hashes that cannot be read",
            path=path,
            expected="<path from the site's root> sha256:<64 hex digits>",
            found=value[:120],
        )
    return match.group(1), match.group(2)


def _is_of_a_package(path: str) -> bool:
    """Whether ``path`` may be of what a release has shipped, and the file system takes it."""
    parts = path.split("/")
    fits = len(path) < 1024 and max(len(part.encode("utf-8")) for part in parts) < 256
    return is_relative(path) and fits and not _is_foreign(path, parts)


def _is_foreign(path: str, parts: List[str]) -> bool:
    """What is not a package's own: our folder, the metadata that proves what a release shipped,
    and bytecode. Names that a diff or a RECORD would have to quote are nobody's."""
    ours = parts[0] == ".jhpatch" or parts[0].endswith((".dist-info", ".egg-info"))
    bytecode = "__pycache__" in parts or path.endswith((".pyc", ".pyo"))
    return ours or bytecode or re.search(r'[\s"\\\x00-\x1f\x7f]', path) is not None


def _addition(value: str, path: str) -> Addition:
    target, _, source = (part.strip() for part in value.partition("<"))
    helper = re.match(r"helper:([a-z]+)\Z", source)
    if _is_of_a_package(target) and helper:
        name = helper.group(1) + ".py"
        if not _is_helper(name):
            raise BadPatch("a helper that there is not", path=path, found=source)
        return Addition(target, os.path.join(_HELPERS, name))
    if _is_of_a_package(target) and is_relative(source) and ":" not in source:
        return Addition(target, os.path.join(os.path.dirname(os.path.dirname(path)), source))
    raise BadPatch(
        "an Adds row that cannot be read",
        path=path,
        expected="<path from the site's root> < helper:<name> or <path in the tree>",
        found=value[:120],
    )


@functools.lru_cache(maxsize=None)
def _is_helper(name: str) -> bool:
    return os.path.isfile(os.path.join(_HELPERS, name))


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
