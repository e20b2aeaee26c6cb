"""patches/ → values: which patches there are, and which edition fits a release.

A patch file is a header of RFC 822 fields, a line ``---`` and a unified diff;
patches/README.md describes it. Only the header is read here; the diff is taken
apart by ``engine`` when it must be applied.
"""

import functools
import hashlib
import itertools
import os
import re
from typing import Container, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from jhpatch.beneath import is_relative
from jhpatch.errors import BadPatch
from jhpatch.versions import Range, clashes, key, parse

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


def _names(tree: str, folder: str, wanted: Container[str]) -> List[str]:
    """The files for one of the distributions that are wanted."""
    return os.listdir(os.path.join(tree, folder)) if normalized(folder) in wanted else []


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
        for folder in folders(tree):
            if names is None or normalized(folder) in names:
                found += _editions_of(os.path.join(tree, folder))
    ordered = sorted(found, key=in_order)
    for error in overlaps(ordered):
        raise error
    return tuple(ordered)


def in_order(edition: Edition) -> Tuple[str, Tuple[int, ...]]:
    """What editions are sorted by: the patch, then the first release."""
    return edition.patch, key(edition.name.partition("-")[0])


def overlaps(ordered: List[Edition]) -> Iterator[BadPatch]:
    """An error for each two editions of a patch that fit the same release."""
    for _, several in itertools.groupby(ordered, lambda one: one.patch):
        pairs = [(one, edition) for edition in several for one in edition.ranges]
        for place, other_place in clashes([one for one, _ in pairs]):
            two = pairs[place][1], pairs[other_place][1]
            if two[0] is two[1]:
                continue
            one, other = sorted(two, key=in_order)
            yield BadPatch(
                "two editions of %s fit the same release" % one.patch,
                path=other.file,
                expected="releases that %s does not name" % os.path.basename(one.file),
                found="%s and %s" % (one.versions, other.versions),
            )


def distributions(trees: List[str]) -> Tuple[str, ...]:
    """The distributions that the trees have patches for, by folder name alone."""
    return tuple(sorted({normalized(folder) for tree in trees for folder in folders(tree)}))


class Catalog(NamedTuple):
    """Trees of patches; a header is read only for a distribution that is asked for."""

    trees: Tuple[str, ...]
    whole: bool = True
    """Whether ``fitting`` reads every edition, so that two for one release are an error."""

    @property
    def distributions(self) -> Tuple[str, ...]:
        """The distributions that there are patches for, normalized."""
        return distributions(list(self.trees))

    def editions(self, names: Iterable[str]) -> Tuple[Edition, ...]:
        """The editions for distributions. Raises BadPatch."""
        return editions(list(self.trees), names)

    def fitting(self, releases: Dict[str, Optional[str]]) -> Tuple[Edition, ...]:
        """The editions for distributions, of which these releases are installed. Raises BadPatch.

        Unless ``whole``: of each patch only the edition that fits the release, all where
        none does.
        """
        if self.whole:
            return self.editions(releases)
        found: List[Edition] = []
        for paths, version in self._files(releases):
            several = []
            for path in paths:
                several.append(edition_of(path))
                if version is not None and several[-1].fits(version):
                    several = several[-1:]
                    break
            found += several
        return tuple(sorted(found, key=in_order))

    def _files(
        self, releases: Dict[str, Optional[str]]
    ) -> Iterator[Tuple[List[str], Optional[str]]]:
        """The files of each patch, the likeliest for the release first, and the release."""
        by_patch: Dict[Tuple[str, str], List[Tuple[Tuple[int, ...], str]]] = {}
        for tree in self.trees:
            for folder in folders(tree):
                for name in _names(tree, folder, releases):
                    first, _, slug = name.partition("-")
                    if name.endswith(".patch"):
                        row = key(first), os.path.join(tree, folder, name)
                        by_patch.setdefault((folder, slug), []).append(row)
        for (folder, _), rows in by_patch.items():
            version = releases[normalized(folder)]
            here = key(version or "")
            # A file is named after the first release that it fits.
            rows.sort(key=lambda row: (row[0] <= here, row[0]), reverse=True)
            yield [path for _, path in rows], version

    def patches(self, names: Iterable[str]) -> Tuple[str, ...]:
        """The patches for distributions, by the names of their files alone."""
        wanted = set(names)
        found = (
            "%s/%s" % (folder, file[: -len(".patch")].partition("-")[2])
            for tree in self.trees
            for folder in folders(tree)
            if normalized(folder) in wanted
            for file in os.listdir(os.path.join(tree, folder))
            if file.endswith(".patch")
        )
        return tuple(sorted(set(found)))


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


def folders(tree: str) -> List[str]:
    """The folders of a tree, one a distribution. Raises BadPatch where it cannot be read."""
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


def _editions_of(folder: str) -> Iterator[Edition]:
    for name in sorted(os.listdir(folder)):
        if name.endswith(".patch"):
            yield edition_of(os.path.join(folder, name))


def edition_of(path: str, data: Optional[bytes] = None) -> Edition:
    """A patch file in the folder of its distribution; ``data`` for one that is not yet
    written there. Raises BadPatch.
    """
    folder = os.path.basename(os.path.dirname(path))
    stem = os.path.basename(path)[: -len(".patch")]
    release, _, slug = stem.partition("-")
    if not release or not re.match(r"^[a-z0-9][a-z0-9-]*$", slug):
        raise BadPatch(
            "a patch file's name does not say what it is",
            path=path,
            expected="<first release>-<slug>.patch",
            found=os.path.basename(path),
        )
    fields = tuple(_fields(_split(_read(path) if data is None else data, path)[0], path))
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


def _ranges(versions: str, path: str, wildcard: bool) -> Tuple[Range, ...]:
    try:
        return parse(versions, wildcard)
    except ValueError:
        raise BadPatch(
            "a Versions field that is open-ended or cannot be read",
            path=path,
            expected="==X, or >=X,<=Y between released versions, joined by |",
            found=versions,
        )
