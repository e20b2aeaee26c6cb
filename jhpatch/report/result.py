"""The results of commands, as values.

Their fields are those of the JSON document (``document``) and a contract (docs/json.md).
"""

import os
from typing import Iterable, Optional, Tuple, Union

from jhpatch.errors import JhpatchError, NextStep, jhpatch_command, shell_command, worst
from jhpatch.namedtuple import NamedTuple
from jhpatch.system.processes import Process


class Error(NamedTuple):
    """A refusal or a failure, with the next step."""

    code: str
    message: str
    path: Optional[str] = None
    expected: Optional[str] = None
    found: Optional[str] = None
    next: Optional[NextStep] = None


class FileReport(NamedTuple):
    """A file of a patch; ``state`` is ``before``, ``after``, ``missing`` or ``other``."""

    path: str
    state: str
    expected: Optional[str]
    found: Optional[str]


class PatchReport(NamedTuple):
    """A patch in a site. ``state`` is that after the command; in a dry run, before it."""

    patch: str
    edition: Optional[str]
    version: Optional[str]
    state: str
    changed: bool = False
    reason: Optional[str] = None
    files: Tuple[FileReport, ...] = ()
    description: Optional[str] = None
    versions: Optional[str] = None


class SiteReport(NamedTuple):
    """A site. ``restart`` is None if the processes of other users cannot be seen."""

    site: str
    python: Optional[str]
    owner: Optional[str]
    journal: Optional[str] = None
    changed: bool = False
    would_change: bool = False
    exit_code: int = 0
    error: Optional[Error] = None
    patches: Tuple[PatchReport, ...] = ()
    restart: Optional[Tuple[Process, ...]] = ()
    restart_reason: Optional[str] = None
    diff: Optional[str] = None
    notes: Tuple[str, ...] = ()


class Release(NamedTuple):
    """A release on the package index, and whether patches cover it.

    ``state`` is ``covered``; ``identical``: no patch names it, but the hashes of ``editions``
    match; ``new``: unknown bytes; ``older`` than all covered releases; or ``passed``, a
    prerelease of a published release. The last two are not downloaded.
    """

    distribution: str
    version: str
    state: str
    editions: Tuple[str, ...] = ()
    uncovered: Tuple[str, ...] = ()
    """The patches that should name it and do not."""
    reason: Optional[str] = None
    yanked: bool = False
    """Whether its author has withdrawn it."""


class OtherTicket(NamedTuple):
    """A valid ticket in another cache of the user."""

    ccache: str
    principal: str
    end: str


class TicketReport(NamedTuple):
    """A ticket that a server renews, or, if ``pid`` is None, the ticket in the user's own cache.

    ``state`` is ``valid``, ``expiring``, ``expired`` or ``absent``; times are UTC or None.
    """

    pid: Optional[int]
    state: str
    principal: Optional[str]
    ccache: str
    keytab: Optional[str]
    central: Optional[bool]
    start: Optional[str]
    end: Optional[str]
    renew_till: Optional[str]
    next: Optional[str]
    """The time of the next refresh."""
    error: Optional[str]
    """The last error, or why there is no ticket."""
    advice: Optional[str] = None
    """What the user has to do for the ticket, if nothing renews it."""
    others: Tuple[OtherTicket, ...] = ()
    """If there is no valid ticket."""


class Finding(NamedTuple):
    """A finding of a check.

    ``severity`` is ``error``, ``warning`` or ``note``; ``next`` is a command to type, a line to
    write, or advice.
    """

    code: str
    severity: str
    message: str
    path: Optional[str]
    why: str
    next: Optional[NextStep]
    user: Optional[str] = None


_SEVERITIES = ("error", "warning", "note")


def worst_first(findings: Iterable[Finding]) -> Tuple[Finding, ...]:
    """Return the findings ordered by severity."""
    return tuple(sorted(findings, key=lambda finding: _SEVERITIES.index(finding.severity)))


def checked(rows: Iterable[Finding]) -> int:
    """Return the exit code of a check: 3 for an error or a warning, 0 for notes."""
    return 3 if any(row.severity != "note" for row in rows) else 0


class KernelReport(NamedTuple):
    """A PySpark kernel; ``text`` is the kernel.json that ``install`` writes, or would."""

    name: str
    path: str
    display_name: str
    ours: bool
    python: str
    spark_home: Optional[str]
    spark: Optional[str]
    master: Optional[str]
    lazy: bool
    text: Optional[str] = None


class Candidate(NamedTuple):
    """A new patch file: its path (which may not exist), its text, and the diff of patch files."""

    patch: str
    edition: str
    version: str
    path: str
    text: str
    diff: str


class SiteFile(NamedTuple):
    """The file of ``nginx render``: its path or None, its text, and the diff to the old file."""

    path: Optional[str]
    text: str
    diff: str


# The contents of results, a type for each kind of command. The field is that of the document.


class Sites(NamedTuple):
    """The content of the commands that inspect or change sites."""

    sites: Tuple[SiteReport, ...]


class Findings(NamedTuple):
    """The content of ``doctor``, ``kernelspec check`` and ``nginx check``."""

    findings: Tuple[Finding, ...]


class Tickets(NamedTuple):
    """The content of ``ticket``."""

    tickets: Tuple[TicketReport, ...]


class Kernels(NamedTuple):
    """The content of ``kernelspec install``, ``list`` and ``remove``."""

    kernels: Tuple[KernelReport, ...]


class RenderedSite(NamedTuple):
    """The content of ``nginx render``."""

    file: SiteFile


class PatchErrors(NamedTuple):
    """The content of ``lint``: the errors of the patch files."""

    findings: Tuple[Error, ...]


class Releases(NamedTuple):
    """The content of ``survey``."""

    releases: Tuple[Release, ...]


class RebasedPatch(NamedTuple):
    """The content of ``rebase``; None if the release needs no patch file of its own."""

    candidate: Optional[Candidate]


class CreatedPatch(NamedTuple):
    """The content of ``create``: the patch file, and the site in which it was created."""

    candidate: Candidate
    sites: Tuple[SiteReport, ...]


class Script(NamedTuple):
    """The content of ``completion``."""

    script: str


Content = Union[
    Sites,
    Findings,
    Tickets,
    Kernels,
    RenderedSite,
    PatchErrors,
    Releases,
    RebasedPatch,
    CreatedPatch,
    Script,
]


class Result(NamedTuple):
    """The result of a command: its content and the fields of all commands."""

    command: Optional[str]
    content: Optional[Content] = None
    """None if the command failed."""
    error: Optional[Error] = None
    own_exit_code: int = 0
    dry_run: bool = False
    changed: bool = False
    """Whether a file outside of sites was written or removed: a patch file, a kernel …"""
    would_change: bool = False
    """In a dry run, whether it would be."""
    notes: Tuple[str, ...] = ()
    next: Optional[NextStep] = None
    """The next step of a result without an error."""
    further: Tuple[Error, ...] = ()
    """The errors that are reported with ``error``."""
    named: Tuple[str, ...] = ()
    """The patches that ``status`` was asked about, for its next step."""

    @property
    def sites(self) -> Tuple[SiteReport, ...]:
        """The sites; empty for a command that inspects none."""
        return self.content.sites if isinstance(self.content, (Sites, CreatedPatch)) else ()

    @property
    def exit_code(self) -> int:
        """The worst exit code of the command and of its sites."""
        return worst([self.own_exit_code] + [site.exit_code for site in self.sites])


def error_of(error: JhpatchError) -> Error:
    """Return the value of an exception."""
    return Error(error.code, error.message, error.path, error.expected, error.found, error.next)


def with_fallbacks(result: Result) -> Result:
    """Return the result with a next step for each error that has none.

    A patch error of lint gets none, nor does an error without a path, unless it is a usage
    error or a patch error.
    """

    def with_next(error: Optional[Error]) -> Optional[Error]:
        if error is None or error.next:
            return error
        return error._replace(next=_fallback(error, result.command))

    if isinstance(result.content, (Sites, CreatedPatch)):
        sites = tuple(site._replace(error=with_next(site.error)) for site in result.sites)
        result = result._replace(content=result.content._replace(sites=sites))
    return result._replace(error=with_next(result.error))


def _fallback(error: Error, command: Optional[str]) -> Optional[NextStep]:
    if error.code == "usage":
        return jhpatch_command(*([command] if command else []), "--help")
    if error.code == "bad-patch":
        return None if command == "lint" else _lint(error.path)  # edit the file after lint
    return shell_command("ls", "-ld", error.path) if error.path else None


def _lint(path: Optional[str]) -> NextStep:
    """Return lint for the directory of a patch file, else for those of the command line."""
    if path is None or not path.endswith(".patch"):
        return jhpatch_command("lint")
    return jhpatch_command("lint", "--patches", os.path.dirname(os.path.dirname(path)) or ".")
