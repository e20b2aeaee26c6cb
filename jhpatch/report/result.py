"""What a command found and did, as values; the JSON document that they make.

The fields are a contract (docs/json.md): they are always there, on errors too.
"""

import re
from typing import Any, Dict, Iterable, List, Optional, Tuple

from jhpatch.errors import REINSTALL, JhpatchError, worst
from jhpatch.namedtuple import NamedTuple
from jhpatch.system.processes import Process

SCHEMA = 1
KEEPERS = ("lint", "rebase", "survey")
"""The commands for who keeps the patches: they look at no site."""
HOST = ("ticket", "doctor", "kernelspec", "nginx")
"""The commands that look at the host: ``sites`` is empty."""


class Error(NamedTuple):
    """A refusal or a failure, with what to do next."""

    code: str
    message: str
    path: Optional[str] = None
    expected: Optional[str] = None
    found: Optional[str] = None
    next: Optional[str] = None


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
    next: Optional[str]
    user: Optional[str] = None


class Kind(NamedTuple):
    """What a finding's code means: ``next`` is a command to type or a line to write, with
    {names} that are filled in."""

    severity: str
    why: str
    next: str = ""


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


class Result(NamedTuple):
    """All that a command has to say."""

    command: Optional[str]
    sites: Tuple[SiteReport, ...] = ()
    dry_run: bool = False
    error: Optional[Error] = None
    own_exit_code: int = 0
    python: str = "python"
    """What runs jhpatch, as it must be typed."""
    options: str = ""
    """``--python …`` as it was typed: a command that is to be typed next needs it too."""
    findings: Optional[Tuple[Error, ...]] = None
    """Of ``lint``: what is wrong with the patch files."""
    releases: Optional[Tuple[Release, ...]] = None
    """Of ``survey``."""
    candidate: Optional[Candidate] = None
    """Of ``rebase``; None where the release needs none."""
    tickets: Optional[Tuple[TicketReport, ...]] = None
    """Of ``ticket``."""
    diagnosis: Optional[Tuple[Finding, ...]] = None
    """Of ``doctor``, ``kernelspec check`` and ``nginx check``."""
    kernels: Optional[Tuple[KernelReport, ...]] = None
    """Of ``kernelspec``."""
    site_file: Optional[SiteFile] = None
    """Of ``nginx render``."""
    script: Optional[str] = None
    """Of ``completion``."""
    changed: bool = False
    """Whether a patch file, a kernel or a site file was written, or a kernel taken away."""
    would_change: bool = False
    """In a dry run: whether one would be."""
    notes: Tuple[str, ...] = ()
    next: Optional[str] = None
    """The command to type next, where the result is no error."""

    @property
    def exit_code(self) -> int:
        """The worst of the command's own and its sites'."""
        return worst([self.own_exit_code] + [site.exit_code for site in self.sites])


def error_of(error: JhpatchError) -> Error:
    """The value of an exception."""
    return Error(error.code, error.message, error.path, error.expected, error.found, error.next)


def addressed(result: Result, python: str, options: str, trees: str = "") -> Result:
    """The result with each command that it says to type next as it works from any shell.

    ``python`` runs jhpatch, ``options`` (``--python …``) say where; of these the commands of
    who keeps the patches know ``trees`` (``--patches …``) alone. A distribution is installed
    again by the Python of its own site. An error that says no next command gets one, but for
    a patch that lint finds broken and for one that names no file.
    """

    def placed(match: Any) -> str:
        of_keepers = match.group(0).rpartition(" ")[2] in KEEPERS
        return str(match.group(0)) + (trees if of_keepers else options)

    def typed(words: str, its_own: Optional[str]) -> str:
        again = REINSTALL.replace("python", quoted(its_own or python), 1)
        words = words.replace(REINSTALL, again)
        words = re.sub(r"-m jhpatch [a-z]+(?= |$|;)", placed, words)
        return re.sub(r"(?<![^ ])python(?= (-I )?-m )", lambda m: quoted(python), words)

    def fill(error: Optional[Error], its_own: Optional[str] = None) -> Optional[Error]:
        then = error and (error.next or _fallback(error, result.command))
        return error._replace(next=typed(then, its_own)) if error and then else error

    sites = tuple(site._replace(error=fill(site.error, site.python)) for site in result.sites)
    then = typed(result.next, None) if result.next else None
    whole = result._replace(error=fill(result.error), sites=sites, next=then)
    if whole.diagnosis is not None:
        rows = (row._replace(next=row.next and typed(row.next, None)) for row in whole.diagnosis)
        whole = whole._replace(diagnosis=tuple(rows))
    return whole._replace(python=quoted(python), options=options)


def _fallback(error: Error, command: Optional[str]) -> Optional[str]:
    """What to type next where an error does not say."""
    if error.code == "usage":
        return "python -m jhpatch %s" % " ".join(filter(None, (command, "--help")))
    if error.code == "bad-patch":
        return None if command == "lint" else "python -m jhpatch lint"  # lint wants an editor
    return "ls -ld " + quoted(error.path) if error.path else None


def quoted(path: str) -> str:
    """A path as a shell takes it."""
    if re.fullmatch(r"[\w./-]+", path):
        return path
    from shlex import quote

    return quote(path)


def document(result: Result) -> Dict[str, Any]:
    """The JSON document of a result; a path that is not UTF-8 comes as ``…_b64`` too."""
    fields: Dict[str, Any] = {
        "schema": SCHEMA,
        "command": result.command,
        "dry_run": result.dry_run,
        "changed": result.changed or any(site.changed for site in result.sites),
        "would_change": result.would_change or any(one.would_change for one in result.sites),
        "exit_code": result.exit_code,
        "error": result.error and result.error._asdict(),
        "sites": packed_sites(result.sites),
    }
    if result.findings is not None:
        fields["findings"] = [error._asdict() for error in result.findings]
    if result.releases is not None:
        fields["releases"] = [release._asdict() for release in result.releases]
    if result.command == "rebase":
        fields["candidate"] = result.candidate and result.candidate._asdict()
    if result.diagnosis is not None:
        fields["findings"] = [one._asdict() for one in result.diagnosis]
    if result.script is not None:
        fields["script"] = result.script
    if result.kernels is not None:
        fields["kernels"] = [one._asdict() for one in result.kernels]
    if result.site_file is not None:
        fields["file"] = result.site_file._asdict()
    if result.tickets is not None:
        fields["tickets"] = [one._asdict() for one in result.tickets]
    if result.command in KEEPERS + HOST:
        fields["notes"] = list(result.notes)
    return {key: _clean(value) for key, value in fields.items()}


def packed_sites(sites: Iterable[SiteReport]) -> List[Dict[str, Any]]:
    """The sites as they stand in a document, with text as it is; ``parse_sites`` takes them."""
    return [_site(site) for site in sites]


def _site(site: SiteReport) -> Dict[str, Any]:
    row = dict(site._asdict())
    row["error"] = site.error and site.error._asdict()
    row["patches"] = [
        dict(patch._asdict(), files=[_file(file) for file in patch.files])
        for patch in site.patches
    ]
    if site.restart is not None:
        row["restart"] = [process._asdict() for process in site.restart]
    return row


def _file(file: FileReport) -> Dict[str, Any]:
    row = dict(file._asdict())
    for key in ("expected", "found"):
        row[key] = row[key] and "sha256:" + row[key]
    return row


def _clean(value: Any) -> Any:
    """Text that JSON can hold: what is not UTF-8 is escaped, and its bytes given beside."""
    if isinstance(value, dict):
        out = {key: _clean(item) for key, item in value.items()}
        for key, item in value.items():
            if isinstance(item, str) and _raw(item) != shown(item).encode("utf-8"):
                import base64

                out[key + "_b64"] = base64.b64encode(_raw(item)).decode("ascii")
        return out
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return shown(value) if isinstance(value, str) else value


def shown(text: str) -> str:
    """Text with every byte that is not UTF-8 (a surrogate, PEP 383) as a backslash escape."""
    return _raw(text).decode("utf-8", "backslashreplace")


def _raw(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte: from somebody's JSON
        return text.encode("utf-8", "backslashreplace")


def parse_sites(rows: Iterable[Dict[str, Any]]) -> Tuple[SiteReport, ...]:
    """The sites that a child packed. Raises KeyError, TypeError, ValueError."""
    return tuple(_parsed_site(dict(row)) for row in rows)


def _parsed_site(row: Dict[str, Any]) -> SiteReport:
    row["error"] = row["error"] and Error(**row["error"])
    row["patches"] = tuple(
        PatchReport(**dict(patch, files=tuple(map(_parsed_file, patch["files"]))))
        for patch in row["patches"]
    )
    if row["restart"] is not None:
        row["restart"] = tuple(Process(**process) for process in row["restart"])
    row["notes"] = tuple(map(str, row["notes"]))
    return SiteReport(**row)


def _parsed_file(row: Dict[str, Any]) -> FileReport:
    for key in ("expected", "found"):
        row[key] = row[key] and str(row[key]).replace("sha256:", "")
    return FileReport(**row)
