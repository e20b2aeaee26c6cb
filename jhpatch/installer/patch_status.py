"""The values of an assessment: a site as the input of a plan, and a patch in it."""

from typing import Callable, Dict, FrozenSet, List, Optional, Tuple

from jhpatch.errors import NextStep
from jhpatch.installer.distribution import Distribution
from jhpatch.installer.state import AppliedPatch, FileHashes, State
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset.edition import Edition, normalized
from jhpatch.report.result import FileReport


class SiteSnapshot(NamedTuple):
    """A site as the input of a plan."""

    path: str
    distributions: Dict[str, List[Distribution]]
    state: Optional[State]
    state_bytes: Optional[bytes]
    read: Callable[[str], Optional[bytes]]
    """The bytes of a file, or None. Raises UnsafePath unless it is a regular file of the site."""
    original: Callable[[str], bytes]
    """The bytes of a saved original, by SHA-256. Raises Untrusted."""
    has_directory_of: Callable[[str], bool] = lambda path: True
    """Whether the parent directory of a path exists and no part of it is a symlink."""
    other_owner: Callable[[str, str], Optional[str]] = lambda path, info: None
    """The metadata directory, other than ``info``, whose RECORD lists a path; a path that ends
    in ``/`` stands for any file below that directory."""
    mode_of: Callable[[str], Optional[int]] = lambda path: None
    """The permissions of a file; None if it is missing."""
    abandoned: Tuple[Distribution, ...] = ()
    """Distributions that an interrupted run of pip has renamed."""
    reinstall: Callable[..., NextStep] = lambda *which, **how: NextStep("reinstall it")
    """How to reinstall distributions (``reinstall_advice.advice``)."""
    compiled_copy: Callable[[str], Optional[str]] = lambda path: None
    """What Python imports in place of a module (``compiled_modules.compiled_copy``)."""


LAYOUT, UNRECORDED, UNKNOWN_RELEASE = "layout", "unrecorded", "unknown release"
BELONGS, COMPILED = "belongs", "compiled"


class Reason(NamedTuple):
    """The reason of a patch's state."""

    text: str
    kind: Optional[str] = None
    """One of the constants above, if a command needs it."""
    releases: Optional[str] = None
    """For an unknown release, the known ones."""
    owner: Optional[str] = None
    """The applied patch that a file belongs to."""


class PatchStatus(NamedTuple):
    """A patch in a site: its state and the reason."""

    patch: str
    state: str
    reason: Optional[Reason]
    edition: Optional[Edition]
    distribution: Optional[Distribution]
    applied: Optional[AppliedPatch]
    files: Tuple[FileReport, ...] = ()
    leftovers: Tuple[FileHashes, ...] = ()
    """Files that jhpatch added and that should no longer exist."""
    unlisted: Optional[Edition] = None
    """An edition whose hashes fit, although its Versions does not name the release."""

    @property
    def version(self) -> Optional[str]:
        """The installed release."""
        return self.distribution.version if self.distribution else None

    @property
    def distribution_name(self) -> str:
        """The normalized name of the patch's distribution."""
        return normalized(self.patch.partition("/")[0])

    @property
    def added(self) -> FrozenSet[str]:
        """The paths of the files that the patch has added, or adds today."""
        recorded = self.applied.files if self.applied else ()
        paths = [file.path for file in recorded if file.before is None]
        paths += [addition.path for addition in (self.edition.adds if self.edition else ())]
        return frozenset(paths)

    def is_because(self, kind: str) -> bool:
        """Return whether the reason is of that kind."""
        return self.reason is not None and self.reason.kind == kind
