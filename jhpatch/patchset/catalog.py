"""The catalog of patches: which patches exist, and which edition fits a release."""

import contextlib
import itertools
import os
from typing import Container, Dict, Iterable, Iterator, List, Optional, Tuple, Union

from jhpatch.errors import BadPatch, Usage, jhpatch_command
from jhpatch.patchset.additions import read_patch
from jhpatch.patchset.edition import Edition, normalized, read_edition
from jhpatch.patchset.versions import clashes, key

LAYOUT = "<distribution>/<first release>-<name>.patch in the directory"


def own_patch_dir() -> str:
    """Return the directory of the patches that come with jhpatch. Raises BadPatch if missing."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    installed = os.path.join(package, "patches")
    if os.path.isdir(installed):
        return installed
    checkout = os.path.dirname(package)
    if os.path.isfile(os.path.join(checkout, "setup.py")):
        return os.path.join(checkout, "patches")
    raise BadPatch(
        "jhpatch is installed without its patches",
        path=installed,
        expected="a patch directory",
        found="nothing",
        next="install jhpatch again from the same source and with the same tool; with pip, "
        "add --force-reinstall",
    )


def editions(dirs: Iterable[str], names: Optional[Iterable[str]] = None) -> Tuple[Edition, ...]:
    """Return the editions in patch directories, only of the distributions ``names`` if given.

    Raises BadPatch as ``Catalog.editions``.
    """
    catalog = Catalog(dirs)
    return catalog.editions(catalog.distributions if names is None else names)


def in_order(edition: Edition) -> Tuple[str, Tuple[int, ...]]:
    """Return the sort key of an edition: its patch, then its first release."""
    return edition.patch, key(edition.name.partition("-")[0])


def overlaps(ordered: List[Edition]) -> Iterator[BadPatch]:
    """Yield an error for each pair of editions of a patch that fit the same release."""
    for _, group in itertools.groupby(ordered, lambda edition: edition.patch):
        pairs = [(interval, edition) for edition in group for interval in edition.ranges]
        for index, other_index in clashes([interval for interval, _ in pairs]):
            clash = pairs[index][1], pairs[other_index][1]
            if clash[0] is clash[1]:
                continue
            edition, later = sorted(clash, key=in_order)
            yield BadPatch(
                "two patch files of %s are for the same release" % edition.patch,
                path=later.file,
                expected="releases that %s does not name" % os.path.basename(edition.file),
                found="%s and %s" % (edition.versions, later.versions),
            )


def distributions(patch_dirs: List[str]) -> Tuple[str, ...]:
    """Return the distributions that have patches, only by the names of their directories."""
    names = (name for patch_dir in patch_dirs for name in distribution_dirs(patch_dir))
    return tuple(sorted({normalized(name) for name in names}))


class Catalog:
    """Patch directories. Each patch file is read at most once, when its distribution is needed."""

    def __init__(
        self, patch_dirs: Iterable[str], whole: bool = True, also: Iterable[str] = ()
    ) -> None:
        self.patch_dirs = tuple(patch_dirs)
        self.also = tuple(also)
        """Distributions that count as having patches."""
        self.whole = whole
        """Whether ``fitting`` reads every edition, so that two for one release are an error."""
        self._listed: Optional[Tuple[str, ...]] = None
        self._editions: Dict[str, Union[Edition, BadPatch]] = {}
        self._helpers: Dict[str, bytes] = {}

    def load(self) -> None:
        """Read all patch files now, for a child process that may not read them later."""
        self._listed = tuple(files(self.patch_dirs))
        for path in self._listed:
            with contextlib.suppress(BadPatch):  # raised when the patch is needed
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

    def _paths(self, names: Container[str]) -> Iterable[str]:
        if self._listed is None:
            return files(self.patch_dirs, names)
        return [path for path in self._listed if normalized(path.split(os.sep)[-2]) in names]

    @property
    def distributions(self) -> Tuple[str, ...]:
        """The normalized names of the distributions that have patches."""
        if self._listed is None:
            names = set(distributions(list(self.patch_dirs)))
        else:
            names = {normalized(path.split(os.sep)[-2]) for path in self._listed}
        return tuple(sorted(names.union(self.also)))

    def editions(self, names: Iterable[str]) -> Tuple[Edition, ...]:
        """Return the editions for distributions, by patch and first release.

        Raises BadPatch for an invalid header, for editions of one patch that overlap, and
        for a directory that cannot be read.
        """
        ordered = sorted(map(self._edition, self._paths(set(names))), key=in_order)
        for error in overlaps(ordered):
            raise error
        return tuple(ordered)

    def fitting(self, releases: Dict[str, Optional[str]]) -> Tuple[Edition, ...]:
        """Return the editions for distributions and their installed releases. Raises BadPatch.

        Unless ``whole`` is set, return of each patch only the edition that fits the release, or
        all editions if none fits.
        """
        if self.whole:
            return self.editions(releases)
        fitting: List[Edition] = []
        for paths, version in self._files_by_patch(releases):
            candidates = []
            for path in paths:
                candidates.append(self._edition(path))
                if version is not None and candidates[-1].fits(version):
                    candidates = candidates[-1:]
                    break
            fitting += candidates
        return tuple(sorted(fitting, key=in_order))

    def _files_by_patch(
        self, releases: Dict[str, Optional[str]]
    ) -> Iterator[Tuple[List[str], Optional[str]]]:
        """Yield the files of each patch, the likeliest first, and the installed release."""
        by_patch: Dict[Tuple[str, str], List[Tuple[Tuple[int, ...], str]]] = {}
        for path in self._paths(releases):
            distribution, name = path.split(os.sep)[-2:]
            first, _, slug = name.partition("-")
            by_patch.setdefault((distribution, slug), []).append((key(first), path))
        for (distribution, _), rows in by_patch.items():
            version = releases[normalized(distribution)]
            installed = key(version or "")
            # A file is named after the first release that it fits.
            rows.sort(key=lambda row: (row[0] <= installed, row[0]), reverse=True)
            yield [path for _, path in rows], version

    def patches(self, names: Iterable[str]) -> Tuple[str, ...]:
        """Return the patches for distributions, only by the names of their files."""
        rows = (path.split(os.sep)[-2:] for path in self._paths(set(names)))
        patches = (
            "%s/%s" % (distribution, name[: -len(".patch")].partition("-")[2])
            for distribution, name in rows
        )
        return tuple(sorted(set(patches)))

    def newest(self) -> Dict[str, str]:
        """Return the newest release that each patch names. Raises BadPatch."""
        releases: Dict[str, str] = {}
        for edition in self.editions(self.distributions):
            for interval in edition.ranges:
                if interval.high and key(interval.high) >= key(releases.get(edition.patch, "")):
                    releases[edition.patch] = interval.high
        return releases


def refuse_empty(patch_dir: str) -> None:
    """Raise Usage if no patch file of a directory would ever be read.

    Otherwise, a command would succeed and silently ignore a patch in another place.
    """
    if next(files([patch_dir]), None) is not None:
        return
    stray = next(misplaced(patch_dir), None)
    raise Usage(
        "the patch directory contains no patch",
        path=patch_dir,
        expected=LAYOUT,
        found=os.path.relpath(stray, patch_dir) if stray else "no file NAME.patch",
        next="move the patch file to such a path, or create a patch: "
        + jhpatch_command("create", "--help"),
    )


def misplaced(patch_dir: str) -> Iterator[str]:
    """Yield the files of a patch directory that have the name of a patch but are never read."""
    for parent, directories, names in os.walk(patch_dir):
        directories.sort()
        depth = 0 if parent == patch_dir else os.path.relpath(parent, patch_dir).count("/") + 1
        is_read = depth == 1 and os.path.basename(parent)[0] not in "._"
        for name in sorted(names):
            if name.endswith(".diff") or (name.endswith(".patch") and not is_read):
                yield os.path.join(parent, name)


def distribution_dirs(patch_dir: str) -> List[str]:
    """Return the directories in a patch directory, one for each distribution.

    Raises BadPatch if it cannot be read.
    """
    return [
        name
        for name in _names(patch_dir)
        if name[0] not in "._" and os.path.isdir(os.path.join(patch_dir, name))
    ]


def _names(directory: str) -> List[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError as error:
        raise BadPatch(
            "cannot read the patches: %s" % error.strerror,
            path=directory,
            expected=LAYOUT,
            next="run the same command as a user who can read the path",
        )


def files(patch_dirs: Iterable[str], names: Optional[Container[str]] = None) -> Iterator[str]:
    """Yield the paths of the patch files, only for the distributions ``names`` if given."""
    for patch_dir in patch_dirs:
        for distribution in distribution_dirs(patch_dir):
            if names is None or normalized(distribution) in names:
                directory = os.path.join(patch_dir, distribution)
                for name in _names(directory):
                    if name.endswith(".patch"):
                        yield directory + os.sep + name
