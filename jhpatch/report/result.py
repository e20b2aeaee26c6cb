"""What a command found and did, as values.

The fields of the JSON document that they make are a contract (docs/json.md): ``document``.
"""

from typing import Any, Dict, Iterable, Optional, Tuple, Union

from jhpatch.errors import JhpatchError, NextStep, jhpatch_command, shell_command, worst
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.next_command import Runner
from jhpatch.system.processes import Process


class Error(NamedTuple):
    """A refusal or a failure, with what to do next."""

    code: str
    message: str
    path: Optional[str] = None
    expected: Optional[str] = None
    found: Optional[str] = None
    next: Optional[NextStep] = None


class FileReport(NamedTuple):
    """A file of a patch: ``before``, ``after``, ``missing`` or ``other``."""

    path: str
    state: str
    expected: Optional[str]
    found: Optional[str]


class PatchReport(NamedTuple):
    """A patch in a site. ``state`` is the one after the command; before it in a dry run."""

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
    """A site. ``restart`` is None where other users' processes cannot be seen."""

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
    """A release on the package index and what the patches know of it.

    ``state`` is ``covered``; ``identical``: no patch names it, but ``editions`` are for its
    very bytes; ``new``: bytes that no patch knows; ``older`` than all that is covered, or
    ``passed``, a prerelease of a release that is out: these two are not looked at.
    """

    distribution: str
    version: str
    state: str
    editions: Tuple[str, ...] = ()
    uncovered: Tuple[str, ...] = ()
    """The patches that do not name it, of those that should."""
    reason: Optional[str] = None


class TicketReport(NamedTuple):
    """A user's ticket as a server keeps it, or, with pid None, in the user's own cache.

    ``state``: ``valid``, ``expiring``, ``expired`` or ``absent``; times are UTC, None where
    there is none.
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
    """When it is to be refreshed."""
    error: Optional[str]
    """The last one."""


class Finding(NamedTuple):
    """Of ``doctor`` and ``nginx check``: ``severity`` is ``error``, ``warning`` or ``note``;
    ``next`` is a command to type or a line to write."""

    code: str
    severity: str
    message: str
    path: Optional[str]
    why: str
    next: Optional[NextStep]
    user: Optional[str] = None


def checked(rows: Iterable[Finding]) -> int:
    """The exit code of a command that only checks: 3 for an error or a warning, 0 for notes."""
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
    """A patch file for another release: where it lies (or would), its text, and the diff of
    the patch files."""

    patch: str
    edition: str
    version: str
    path: str
    text: str
    diff: str


class SiteFile(NamedTuple):
    """Of ``nginx render``: where it lies (or would), its text, the diff to what lies there."""

    path: Optional[str]
    text: str
    diff: str


# What a command returns, a type a kind of command. ``fields`` are those of its document.


class Sites(NamedTuple):
    """Of the commands that inspect or change sites."""

    sites: Tuple[SiteReport, ...]

    def fields(self, runner: Runner) -> Dict[str, Any]:
        """None: ``sites`` stand in the document of every command."""
        return {}


class Findings(NamedTuple):
    """Of ``doctor``, ``kernelspec check`` and ``nginx check``."""

    findings: Tuple[Finding, ...]

    def fields(self, runner: Runner) -> Dict[str, Any]:
        """The findings."""
        return {"findings": [_row(finding, runner) for finding in self.findings]}


class Tickets(NamedTuple):
    """Of ``ticket``."""

    tickets: Tuple[TicketReport, ...]

    def fields(self, runner: Runner) -> Dict[str, Any]:
        """The tickets."""
        return {"tickets": [ticket._asdict() for ticket in self.tickets]}


class Kernels(NamedTuple):
    """Of ``kernelspec install``, ``list`` and ``remove``."""

    kernels: Tuple[KernelReport, ...]

    def fields(self, runner: Runner) -> Dict[str, Any]:
        """The kernels."""
        return {"kernels": [kernel._asdict() for kernel in self.kernels]}


class RenderedSite(NamedTuple):
    """Of ``nginx render``."""

    file: SiteFile

    def fields(self, runner: Runner) -> Dict[str, Any]:
        """The site file."""
        return {"file": self.file._asdict()}


class PatchErrors(NamedTuple):
    """Of ``lint``: what is wrong with the patch files."""

    errors: Tuple[Error, ...]

    def fields(self, runner: Runner) -> Dict[str, Any]:
        """The errors, as findings."""
        return {"findings": [_row(error, runner) for error in self.errors]}


class Releases(NamedTuple):
    """Of ``survey``."""

    releases: Tuple[Release, ...]

    def fields(self, runner: Runner) -> Dict[str, Any]:
        """The releases."""
        return {"releases": [release._asdict() for release in self.releases]}


class RebasedPatch(NamedTuple):
    """Of ``rebase``; None where the release needs no patch file of its own."""

    candidate: Optional[Candidate]

    def fields(self, runner: Runner) -> Dict[str, Any]:
        """The candidate."""
        return {"candidate": self.candidate and self.candidate._asdict()}


class Script(NamedTuple):
    """Of ``completion``."""

    script: str

    def fields(self, runner: Runner) -> Dict[str, Any]:
        """The script."""
        return {"script": self.script}


Content = Union[
    Sites, Findings, Tickets, Kernels, RenderedSite, PatchErrors, Releases, RebasedPatch, Script
]


class Result(NamedTuple):
    """What a command returns: its content, and what all commands have."""

    command: Optional[str]
    content: Optional[Content] = None
    """None where the command failed."""
    error: Optional[Error] = None
    own_exit_code: int = 0
    dry_run: bool = False
    changed: bool = False
    """Whether something outside of sites was written or removed: a patch file, a kernel …"""
    would_change: bool = False
    """In a dry run: whether it would be."""
    notes: Tuple[str, ...] = ()
    next: Optional[NextStep] = None
    """What to do next where the result is no error."""

    @property
    def sites(self) -> Tuple[SiteReport, ...]:
        """The sites of a command that has some."""
        return self.content.sites if isinstance(self.content, Sites) else ()

    @property
    def exit_code(self) -> int:
        """The worst of the command's own and its sites'."""
        return worst([self.own_exit_code] + [site.exit_code for site in self.sites])


def _row(value: Union[Error, Finding], runner: Runner) -> Dict[str, Any]:
    step = value.next and runner.shown(value.next)
    return dict(value._asdict(), next=step)


def error_of(error: JhpatchError) -> Error:
    """The value of an exception."""
    return Error(error.code, error.message, error.path, error.expected, error.found, error.next)


def with_fallbacks(result: Result) -> Result:
    """The result, with a next step also for an error that has none.

    But for a patch that lint finds broken, and for an error that names no file.
    """

    def filled(error: Optional[Error]) -> Optional[Error]:
        if error is None or error.next:
            return error
        return error._replace(next=_fallback(error, result.command))

    if isinstance(result.content, Sites):
        sites = (site._replace(error=filled(site.error)) for site in result.sites)
        result = result._replace(content=Sites(tuple(sites)))
    return result._replace(error=filled(result.error))


def _fallback(error: Error, command: Optional[str]) -> Optional[NextStep]:
    if error.code == "usage":
        return jhpatch_command(*([command] if command else []), "--help")
    if error.code == "bad-patch":
        return None if command == "lint" else jhpatch_command("lint")  # lint wants an editor
    return shell_command("ls", "-ld", error.path) if error.path else None
