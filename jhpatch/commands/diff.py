"""``jhpatch diff``: show the changes of apply as a unified diff."""

import argparse
from typing import FrozenSet, List, Optional, Tuple

from jhpatch import __version__
from jhpatch.commands.arguments import add_arguments as add_shared_arguments
from jhpatch.commands.arguments import add_wheels, catalog_of, inspected
from jhpatch.errors import JhpatchError, Refused, jhpatch_command
from jhpatch.installer import selection
from jhpatch.installer.inspection import Inspection
from jhpatch.installer.patch_status import PatchStatus
from jhpatch.installer.plan import Operation, plan
from jhpatch.installer.site_report import site_report
from jhpatch.patchset import engine, unified_diff
from jhpatch.report import states
from jhpatch.report.result import FileReport, Result, SiteReport, Sites
from jhpatch.transaction.change import FileChange


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``diff``."""
    add_shared_arguments(parser)
    text = (
        "Find the original of an edited file in a wheel in this directory; pip downloads a "
        "missing wheel into it (default: download nothing)"
    )
    add_wheels(parser, text)


def run(arguments: argparse.Namespace) -> Result:
    """Show the diff. Exit code 0, even if it is empty; 4: another run; 5: apply would refuse."""
    sites, named = inspected(arguments, catalog_of(arguments))
    return Result("diff", Sites(tuple(_site(arguments, site, named) for site in sites)))


def _site(arguments: argparse.Namespace, site: Inspection, named: FrozenSet[str]) -> SiteReport:
    if site.error or site.journal == states.BUSY:
        return site_report(site)
    operation = Operation("apply", named, __version__)
    statuses = selection.changeable(site, operation)
    error: Optional[JhpatchError] = None
    text: List[str] = []
    patches: List[str] = []
    for status in statuses:
        if not operation.concerns(status.patch):
            continue
        alone = operation._replace(named=frozenset([status.patch]))
        single = plan(alone, site.snapshot, statuses)
        # A patch that was not named and whose distribution is absent is no refusal.
        if single.refusals and (status.patch in named or status.state != states.ABSENT):
            edits, unknown = _edits(arguments, site, status)
            text += [edit for edit in edits if edit not in text]  # patches share added files
            refusal = single.refusals[0][1]
            if unknown:
                refusal = _without_original(arguments, refusal, status, unknown)
            error = error or refusal
        patches += single.patches
    if patches:
        whole = plan(operation._replace(named=frozenset(patches)), site.snapshot, statuses)
        for change in sorted(whole.changes, key=_modules_first):
            if not change.path.startswith(".jhpatch/"):
                text.append(unified_diff.diff(change.path, change.before, change.after))
    code = error.exit_code if error else 0
    return site_report(site, patches, error, code, would_change=bool(patches), diff="".join(text))


def _modules_first(change: FileChange) -> Tuple[bool, bool, str]:
    return change.path.endswith("/RECORD"), change.before is None, change.path


def _edits(
    arguments: argparse.Namespace, inspection: Inspection, status: PatchStatus
) -> Tuple[List[str], List[str]]:
    """Return the diffs of the edited files from their known bytes, and the files whose original
    was not found, each with the reason."""
    text: List[str] = []
    unknown: List[str] = []
    if status.state == states.UNSUPPORTED and arguments.wheels is None:
        return text, unknown  # another build, not an edit
    for file in status.files:
        if file.state != states.OTHER:
            continue
        expected = _expected(inspection, status, file.path)
        if expected is None:
            expected, tried = _original(arguments, inspection, status, file)
            unknown += ["%s (%s)" % (file.path, tried)] * (expected is None)
        if expected is not None:
            data = inspection.snapshot.read(file.path)
            text.append(unified_diff.diff(file.path, expected, data))
    return text, unknown


def _original(
    arguments: argparse.Namespace, inspection: Inspection, status: PatchStatus, file: FileReport
) -> Tuple[Optional[bytes], str]:
    """Return the release's own bytes of a file, proved by their hash, and the failed searches."""
    from jhpatch.commands.edited_files import saved_originals
    from jhpatch.maintenance import release_bytes

    changes = status.edition.changes if status.edition else ()
    digest = next((change.before for change in changes if change.path == file.path), None)
    if digest is None:
        return None, "the release has no such file"
    sources = release_bytes.Sources(
        saved_originals(inspection),
        directory=arguments.wheels,
        network=arguments.wheels is not None,
    )
    name = status.edition.package if status.edition else ""
    found = release_bytes.find(name, status.version or "", {file.path: digest}, sources)
    return found.files.get(file.path), "; ".join(found.tried)


def _without_original(
    arguments: argparse.Namespace, error: JhpatchError, status: PatchStatus, unknown: List[str]
) -> JhpatchError:
    """Return the refusal: why the edit is not shown, and a command that may help."""
    message = "%s; the original file was not found: %s" % (error.message, ", ".join(unknown))
    step = error.next
    if arguments.wheels is None:
        step = jhpatch_command("diff", "--wheels", "DIR", status.patch)
    return Refused(message, error.path, error.expected, error.found, step)


def _expected(inspection: Inspection, status: PatchStatus, path: str) -> Optional[bytes]:
    """Return the expected bytes of a file; None if only their hash is known."""
    files = {file.path: file for file in (status.applied.files if status.applied else ())}
    adds = status.edition.adds if status.edition else ()
    added = next((addition for addition in adds if addition.path == path), None)
    if added is not None:
        return added.data
    if path not in files or status.edition is None:
        return None
    before = files[path].before
    if before is None:
        return None
    try:
        return engine.after_of(status.edition, {path: inspection.snapshot.original(before)}).get(
            path
        )
    except JhpatchError:
        return None
