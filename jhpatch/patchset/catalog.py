"""patches/ → which patches there are, and which edition fits a release."""

import contextlib
import itertools
import os
from typing import Container, Dict, Iterable, Iterator, List, Optional, Tuple, Union

from jhpatch.errors import BadPatch, python_command
from jhpatch.patchset.additions import read_patch
from jhpatch.patchset.edition import Edition, normalized, read_edition
from jhpatch.patchset.versions import clashes, key


def own_tree() -> str:
    """The folder of the patches that come with jhpatch. Raises BadPatch where there is none."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
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
        next=python_command("pip", "install", "--force-reinstall", "jhpatch"),
    )


def editions(trees: Iterable[str], wanted: Optional[Iterable[str]] = None) -> Tuple[Edition, ...]:
    """The editions in ``trees``, of the distributions ``wanted`` only where it is given.

    Raises BadPatch as ``Catalog.editions``.
    """
    catalog = Catalog(trees)
    return catalog.editions(catalog.distributions if wanted is None else wanted)


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


class Catalog:
    """Patch directories. A patch file is read once, and only for a distribution asked for."""

    def __init__(self, trees: Iterable[str], whole: bool = True) -> None:
        self.trees = tuple(trees)
        self.whole = whole
        """Whether ``fitting`` reads every edition, so that two for one release are an error."""
        self._listed: Optional[Tuple[str, ...]] = None
        self._editions: Dict[str, Union[Edition, BadPatch]] = {}
        self._helpers: Dict[str, bytes] = {}

    def load(self) -> None:
        """Reads all now: for a child that may not be able to read the files any more."""
        self._listed = tuple(files(self.trees))
        for path in self._listed:
            with contextlib.suppress(BadPatch):  # raised where the patch is asked for
                self._edition(path)

    def _edition(self, path: str) -> Edition:
        if path not in self._editions:
            try:
                self._editions[path] = read_edition(path, self._helper)
            except BadPatch as error:
                self._editions[path] = error
        edition = self._editions[path]
        if isinstance(edition, BadPatch):
            raise edition
        return edition

    def _helper(self, path: str) -> bytes:
        if path not in self._helpers:
            self._helpers[path] = read_patch(path)
        return self._helpers[path]

    def _paths(self, wanted: Container[str]) -> Iterable[str]:
        if self._listed is None:
            return files(self.trees, wanted)
        return [path for path in self._listed if normalized(path.split(os.sep)[-2]) in wanted]

    @property
    def distributions(self) -> Tuple[str, ...]:
        """The distributions that there are patches for, normalized."""
        if self._listed is None:
            return distributions(list(self.trees))
        return tuple(sorted({normalized(path.split(os.sep)[-2]) for path in self._listed}))

    def editions(self, names: Iterable[str]) -> Tuple[Edition, ...]:
        """The editions for distributions, by patch and first release.

        Raises BadPatch for a header that breaks the rules, for editions of one patch that
        overlap, and for a directory that cannot be read.
        """
        ordered = sorted(map(self._edition, self._paths(set(names))), key=in_order)
        for error in overlaps(ordered):
            raise error
        return tuple(ordered)

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
                several.append(self._edition(path))
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
        for path in self._paths(releases):
            folder, name = path.split(os.sep)[-2:]
            first, _, slug = name.partition("-")
            by_patch.setdefault((folder, slug), []).append((key(first), path))
        for (folder, _), rows in by_patch.items():
            version = releases[normalized(folder)]
            here = key(version or "")
            # A file is named after the first release that it fits.
            rows.sort(key=lambda row: (row[0] <= here, row[0]), reverse=True)
            yield [path for _, path in rows], version

    def patches(self, names: Iterable[str]) -> Tuple[str, ...]:
        """The patches for distributions, by the names of their files alone."""
        rows = (path.split(os.sep)[-2:] for path in self._paths(set(names)))
        found = (
            "%s/%s" % (folder, name[: -len(".patch")].partition("-")[2]) for folder, name in rows
        )
        return tuple(sorted(set(found)))

    def newest(self) -> Dict[str, str]:
        """The newest release that each patch names. Raises BadPatch."""
        found: Dict[str, str] = {}
        for edition in self.editions(self.distributions):
            for one in edition.ranges:
                if one.high and key(one.high) >= key(found.get(edition.patch, "")):
                    found[edition.patch] = one.high
        return found


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


def files(trees: Iterable[str], wanted: Optional[Container[str]] = None) -> Iterator[str]:
    """The paths of the patch files, those for the distributions ``wanted`` where it is given."""
    for tree in trees:
        for folder in folders(tree):
            if wanted is None or normalized(folder) in wanted:
                above = os.path.join(tree, folder)
                for name in sorted(os.listdir(above)):
                    if name.endswith(".patch"):
                        yield above + os.sep + name
