"""patches/ → values: which patches there are, and which edition fits a release.

A patch file is a header of RFC 822 fields, a line ``---`` and a unified diff;
patches/README.md describes it. Only the header is read here; the diff is taken
apart by ``engine`` when it must be applied.
"""

import functools
import hashlib
import os
import re
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from jhpatch.beneath import is_relative
from jhpatch.errors import BadPatch

FIELDS = frozenset(
    "Package Versions Description Origin Forwarded Remove-When Not-Needed Before After Adds "
    "Author Bug Last-Update Applied-Upstream".split()
)
_REPEATED = frozenset(["Before", "After", "Adds", "Bug", "Author"])
_SIZE_CAP = 4 * 1024 * 1024
_HELPERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "helper")


class Change(NamedTuple):
    """A file that a patch changes: its path from the site's root and its two SHA-256."""

    path: str
    before: str
    after: str


class Addition(NamedTuple):
    """A file that a patch adds: its path from the site's root, and the file it is copied from."""

    path: str
    source: str


class Range(NamedTuple):
    """A closed range of releases; ``wildcard`` is a prefix such as ``7.``, or empty."""

    low: str
    high: str
    wildcard: str = ""


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
        return any(_within(version, one) for one in self.ranges)


def normalized(name: str) -> str:
    """A distribution's name as names compare (PEP 503), with ``_`` for ``-``."""
    return re.sub(r"[-_.]+", "_", name).lower()


def own_tree() -> str:
    """The folder of the patches that come with jhpatch. Raises BadPatch where there is none."""
    package = os.path.dirname(os.path.abspath(__file__))
    inside = os.path.join(package, "patches")
    if os.path.isdir(inside):
        return inside
    checkout = os.path.dirname(package)
    if os.path.isfile(os.path.join(checkout, "setup.py")):
        return os.path.join(checkout, "patches")
    raise BadPatch(
        "jhpatch is installed without its patches",
        path=inside,
        expected="a folder of patches",
        found="nothing",
        next="python -m pip install --force-reinstall jhpatch",
    )


def editions(trees: List[str], wanted: Optional[Iterable[str]] = None) -> Tuple[Edition, ...]:
    """The editions in ``trees``, of the distributions ``wanted`` only where it is given.

    Sorted by patch and first release. Raises BadPatch for a header that breaks the
    rules, for editions of one patch that overlap, and for a tree that is not there.
    """
    names = None if wanted is None else set(wanted)
    found: List[Edition] = []
    for tree in trees:
        for folder in _subfolders(tree):
            if names is None or normalized(folder) in names:
                found += _editions_of(os.path.join(tree, folder), folder)
    ordered = sorted(found, key=lambda one: (one.patch, release_key(one.name.partition("-")[0])))
    _refuse_overlaps(ordered)
    return tuple(ordered)


def distributions(trees: List[str]) -> Tuple[str, ...]:
    """The distributions that the trees have patches for, by folder name alone."""
    return tuple(sorted({normalized(folder) for tree in trees for folder in _subfolders(tree)}))


class Catalog(NamedTuple):
    """Trees of patches; a header is read only for a distribution that is asked for."""

    trees: Tuple[str, ...]

    @property
    def distributions(self) -> Tuple[str, ...]:
        """The distributions that there are patches for, normalized."""
        return distributions(list(self.trees))

    def editions(self, names: Iterable[str]) -> Tuple[Edition, ...]:
        """The editions for distributions. Raises BadPatch."""
        return editions(list(self.trees), names)

    def patches(self, names: Iterable[str]) -> Tuple[str, ...]:
        """The patches for distributions, by the names of their files alone."""
        wanted = set(names)
        found = (
            "%s/%s" % (folder, file[: -len(".patch")].partition("-")[2])
            for tree in self.trees
            for folder in _subfolders(tree)
            if normalized(folder) in wanted
            for file in os.listdir(os.path.join(tree, folder))
            if file.endswith(".patch")
        )
        return tuple(sorted(set(found)))


def known_near(version: str, editions: Iterable[Edition]) -> str:
    """The releases that ``editions`` change, for a person: all where they are few, else
    from which to which, and those that are next to ``version``.
    """
    ranges = [one for edition in editions if edition.changes for one in edition.ranges]
    ranges.sort(key=lambda one: release_key(one.low))
    if len(ranges) <= 3:
        return ", ".join(map(_shown, ranges)) or "none"
    numbers = re.match("[0-9.]*", version)
    here = release_key(numbers.group() if numbers else "")
    below = [one for one in ranges if release_key(one.low) <= here][-1:]
    above = [one for one in ranges if release_key(one.low) > here][:1]
    whole = "%s to %s" % (ranges[0].low, max(ranges, key=lambda one: release_key(one.high)).high)
    return "%s, the nearest %s" % (whole, " and ".join(map(_shown, below + above)))


def _shown(one: Range) -> str:
    return one.low if one.low == one.high else "%s to %s" % (one.low, one.high)


def digest(edition: Edition) -> str:
    """The SHA-256, as hex digits, of a patch's bytes and of the files that it adds."""
    total = hashlib.sha256(_read(edition.file))
    for addition in edition.adds:
        total.update(_read(addition.source))
    return total.hexdigest()


def diff_of(edition: Edition) -> bytes:
    """The unified diff of a patch file, as it stands below the ``---``."""
    return _split(_read(edition.file), edition.file)[1]


def added_bytes(edition: Edition) -> Dict[str, bytes]:
    """The files that a patch adds, by path from the site's root."""
    return {addition.path: _read(addition.source) for addition in edition.adds}


def _subfolders(tree: str) -> List[str]:
    try:
        names = sorted(os.listdir(tree))
    except OSError as error:
        raise BadPatch(
            "cannot read the patches: %s" % error.strerror,
            path=tree,
            expected="a folder <distribution>/<release>-<slug>.patch",
            next="check the argument of --patches",
        )
    return [
        name for name in names if name[0] not in "._" and os.path.isdir(os.path.join(tree, name))
    ]


def _editions_of(folder: str, package: str) -> Iterator[Edition]:
    for name in sorted(os.listdir(folder)):
        if name.endswith(".patch"):
            yield _edition(os.path.join(folder, name), package)


def _edition(path: str, folder: str) -> Edition:
    stem = os.path.basename(path)[: -len(".patch")]
    release, _, slug = stem.partition("-")
    if not release or not re.match(r"^[a-z0-9][a-z0-9-]*$", slug):
        raise BadPatch(
            "a patch file's name does not say what it is",
            path=path,
            expected="<first release>-<slug>.patch",
            found=os.path.basename(path),
        )
    fields = tuple(_fields(_split(_read(path), path)[0], path))
    one = {name: value for name, value in fields if name not in _REPEATED}
    _require(one, path, folder)
    not_needed = one.get("Not-Needed")
    edition = Edition(
        patch="%s/%s" % (folder, slug),
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
    return edition


def _require(one: Dict[str, str], path: str, folder: str) -> None:
    for name in ("Package", "Versions", "Description"):
        if not one.get(name):
            raise BadPatch("a patch without a field", path=path, expected=name + ":", found="none")
    if normalized(one["Package"]) != normalized(folder):
        raise BadPatch(
            "a patch lies in the folder of another distribution",
            path=path,
            expected="Package: " + folder,
            found="Package: " + one["Package"],
        )


@functools.lru_cache(maxsize=None)
def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(_SIZE_CAP + 1)
    except OSError as error:
        raise BadPatch("cannot read a patch: %s" % error.strerror, path=path)
    if len(data) > _SIZE_CAP:
        raise BadPatch("a patch of more than 4 MiB", path=path)
    return data


def _split(data: bytes, path: str) -> Tuple[bytes, bytes]:
    head, found, diff = data.partition(b"\n---\n")
    if not found:
        raise BadPatch(
            "a patch without the end of its header", path=path, expected="a line ---", found="none"
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
            expected=", ".join(sorted(before)) or "a Before for each After",
            found=", ".join(sorted(after)) or "no After",
        )
    return tuple(Change(name, before[name], after[name]) for name in sorted(before))


def _hashed(value: str, path: str) -> Tuple[str, str]:
    match = re.match(r"^(\S+) sha256:([0-9a-f]{64})$", value)
    if not match or not _is_of_a_package(match.group(1)):
        raise BadPatch(
            "a row of hashes that cannot be read",
            path=path,
            expected="<path from the site's root> sha256:<64 hex digits>",
            found=value[:120],
        )
    return match.group(1), match.group(2)


def _is_of_a_package(path: str) -> bool:
    """Neither our own folder nor the metadata that proves what a release shipped."""
    return is_relative(path) and not re.match(r"^(\.jhpatch|[^/]*\.(dist|egg)-info)(/|$)", path)


def _addition(value: str, path: str) -> Addition:
    target, _, source = (part.strip() for part in value.partition("<"))
    if _is_of_a_package(target) and re.match(r"^helper:[a-z]+$", source):
        return Addition(target, os.path.join(_HELPERS, source[len("helper:") :] + ".py"))
    if _is_of_a_package(target) and is_relative(source) and ":" not in source:
        return Addition(target, os.path.join(os.path.dirname(os.path.dirname(path)), source))
    raise BadPatch(
        "an Adds row that cannot be read",
        path=path,
        expected="<path from the site's root> < helper:<name> or <path in the tree>",
        found=value[:120],
    )


# Versions. Plain releases compare as tuples of numbers; packaging (32 ms to
# import) is asked only about the others.

_PLAIN = re.compile(r"^[0-9]+(\.[0-9]+)*$")


def _ranges(versions: str, path: str, wildcard: bool) -> Tuple[Range, ...]:
    ranges: List[Range] = []
    for part in (part.strip() for part in versions.split("|")):
        exact = re.match(r"^==([0-9][^\s,*]*)$", part)
        closed = re.match(r"^>=([0-9.]+),\s*<=([0-9.]+)$", part)
        prefix = re.match(r"^([0-9]+(\.[0-9]+)*\.)\*$", part)
        if exact:
            ranges.append(Range(exact.group(1), exact.group(1)))
        elif closed and release_key(closed.group(1)) <= release_key(closed.group(2)):
            ranges.append(Range(closed.group(1), closed.group(2)))
        elif prefix and wildcard:
            ranges.append(Range("", "", prefix.group(1)))
        else:
            raise BadPatch(
                "a Versions field that is open-ended or cannot be read",
                path=path,
                expected="==X, or >=X,<=Y between released versions, joined by |",
                found=versions,
            )
    return tuple(ranges)


def _within(version: str, one: Range) -> bool:
    if one.wildcard:
        return (version + ".").startswith(one.wildcard)
    if _PLAIN.match(version) and _PLAIN.match(one.low):
        return release_key(one.low) <= release_key(version) <= release_key(one.high)
    return _within_odd(version, one)


def _within_odd(version: str, one: Range) -> bool:
    """Prereleases and local versions: named exactly, or not at all."""
    from packaging.version import InvalidVersion, Version

    try:
        return one.low == one.high and Version(version) == Version(one.low)
    except InvalidVersion:
        return False


def release_key(version: str) -> Tuple[int, ...]:
    """A release's numbers without trailing zeros: 6.1 and 6.1.0 are the same (PEP 440)."""
    numbers = [int(digits) for digits in re.findall(r"[0-9]+", version)]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _refuse_overlaps(ordered: List[Edition]) -> None:
    for number, first in enumerate(ordered):
        for second in ordered[number + 1 :]:
            if second.patch != first.patch:
                break
            if any(_overlap(a, b) for a in first.ranges for b in second.ranges):
                raise BadPatch(
                    "two editions of %s fit the same release" % first.patch,
                    path=second.file,
                    expected="releases that %s does not name" % os.path.basename(first.file),
                    found="%s and %s" % (first.versions, second.versions),
                )


def _overlap(one: Range, other: Range) -> bool:
    if one.wildcard or other.wildcard:
        prefix, rest = (one, other) if one.wildcard else (other, one)
        return any(
            _within(end, prefix) for end in (rest.low, rest.high, rest.wildcard[:-1]) if end
        )
    if not all(_PLAIN.match(end) for end in (one.low, other.low)):
        return _within_odd(one.low, other) or _within_odd(other.low, one)
    return release_key(one.low) <= release_key(other.high) and release_key(
        other.low
    ) <= release_key(one.high)
