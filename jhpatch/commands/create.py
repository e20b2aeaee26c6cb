"""``jhpatch create``: create a patch from files that were edited in place, or from a diff."""

import argparse
import contextlib
import os
import time
from typing import List, Optional, Tuple

from jhpatch import __version__
from jhpatch.commands import edited_distribution, edited_files
from jhpatch.commands.arguments import add_arguments as add_shared_arguments
from jhpatch.commands.arguments import (
    environments_of,
    patch_dirs_beside,
    without_repeated,
)
from jhpatch.commands.edited_distribution import Target
from jhpatch.commands.edited_files import Change
from jhpatch.errors import Failed, NextStep, Usage, jhpatch_command
from jhpatch.installer import bytecode, compiled_modules, selection
from jhpatch.installer.execute import Run, execute
from jhpatch.installer.inspection import Inspection, inspect
from jhpatch.installer.patch_status import PatchStatus
from jhpatch.installer.plan import Operation
from jhpatch.installer.site_report import site_report
from jhpatch.maintenance import create, patch_writer
from jhpatch.maintenance.create import NewPatch
from jhpatch.maintenance.release_files import digest
from jhpatch.patchset import unified_diff
from jhpatch.patchset.catalog import Catalog
from jhpatch.patchset.edition import Edition
from jhpatch.patchset.edition import digest as digest_of_edition
from jhpatch.patchset.engine import Files
from jhpatch.report import states
from jhpatch.report.result import Candidate, CreatedPatch, Result, SiteReport
from jhpatch.system import path_owners, timestamps

_PATCHES_HELP = (
    "Write the patch file to this patch directory (default: the first in JHPATCH_PATCHES); can be "
    "given more than once: jhpatch only reads the further directories"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``create``."""
    add = parser.add_argument
    add("patch", metavar="DISTRIBUTION/NAME", help="The distribution, and a name for the patch")
    add(
        "--description",
        metavar="TEXT",
        help="Describe what the patch does, and why (default: jhpatch asks on a terminal)",
    )
    add(
        "--from",
        dest="diff",
        metavar="DIFF",
        help="Take the change from this output of git diff, diff -u or diff -ru, not from the "
        "site",
    )
    add(
        "--file",
        action="append",
        default=[],
        metavar="PATH",
        help="Patch this edited file, named by its path in the site; can be given more than once "
        "(default: all edited files of the distribution)",
    )
    add(
        "--wheel",
        action="append",
        default=[],
        metavar="WHEEL",
        help="Read the release's own files from this wheel; can be given more than once",
    )
    add(
        "--wheels",
        metavar="DIR",
        help="Read the release's own files from a wheel in this directory; pip downloads a "
        "missing wheel into it (default: keep no download)",
    )
    add_shared_arguments(parser, changes=True, patches=False, patches_help=_PATCHES_HELP)


def run(arguments: argparse.Namespace) -> Result:
    """Exit code 5: no patch can be created from the edit; nothing was written or changed."""
    name, slug = create.name_of(arguments.patch)
    patch_dir = _patch_dir(arguments)
    existing = [patch_dir] * os.path.isdir(patch_dir) + patch_dirs_beside(arguments, patch_dir)
    selection.refuse_untrusted(Catalog(existing))
    path_owners.refuse_foreign_parent(patch_dir)
    target = edited_distribution.target_of(arguments, Catalog(existing, also=[name]), name)
    if arguments.diff is None:
        change = edited_files.edited(arguments, target, "%s/%s" % (name, slug))
    else:
        change = edited_files.from_diff(arguments, target)
    _refuse_compiled(arguments.patch, target, change.after)
    release = (target.package, target.distribution.version)
    old = create.existing_edition(arguments.patch, release[1], patch_dir)
    if old is not None:
        change = edited_files.with_other_files(arguments, target, change, old)
    description = arguments.description
    if description is None and not arguments.json:
        description = _asked(arguments, release, patch_dir)
    made = create.new_patch(
        arguments.patch, release, description, change.before, change.after, patch_dir
    )
    create.refuse_faulty(made.edition, existing)
    _compile(target.inspection, change.after)
    candidate = _candidate(made, release[1])
    notes = (*_described(change), *change.notes)
    if arguments.dry_run:
        report = site_report(target.inspection, exit_code=0)
        result = Result("create", CreatedPatch(candidate, (report,)), dry_run=True)
        notes += ("would write " + candidate.path,)
        return result._replace(would_change=True, notes=notes)
    is_same = made.old is not None and made.old.data == made.edition.data
    created = [] if is_same else _write(made)
    notes += ("%s %s" % ("unchanged:" if is_same else "wrote", candidate.path),)
    result = Result("create", changed=not is_same, notes=notes)
    try:
        result, is_adopted = _adopt(
            arguments, target, made, result, existing, candidate, change.after
        )
    except BaseException:  # Ctrl-C, too
        if not _is_recorded(target, made.edition):
            _take_back(made, created)
        raise
    if is_adopted:
        return result
    _take_back(made, created)
    return result._replace(changed=False, notes=("nothing was written",))


def _patch_dir(arguments: argparse.Namespace) -> str:
    """Return the directory to write to, which may be missing or empty. Raises Usage."""
    named = arguments.patches or arguments.environ.get("JHPATCH_PATCHES", "").split(os.pathsep)
    if not named[0]:
        raise Usage(
            "create needs a patch directory to write to", expected="--patches DIR", found="none"
        )
    parent = os.path.dirname(os.path.abspath(named[0]))
    if os.path.exists(named[0]) != os.path.isdir(named[0]) or not os.path.isdir(parent):
        raise Usage(
            "%s does not name a directory"
            % ("--patches" if arguments.patches else "JHPATCH_PATCHES"),
            path=named[0],
            expected="a directory, or a new name in an existing directory",
            found="a file" if os.path.exists(named[0]) else "no directory " + parent,
        )
    return str(named[0])


def _asked(
    arguments: argparse.Namespace, release: Tuple[str, str], patch_dir: str
) -> Optional[str]:
    """Ask for the description on a terminal; None without one."""
    answer = arguments.ask("What does %s do, and why? (one line) " % arguments.patch)
    return str(answer) if answer else None


def _refuse_compiled(patch: str, target: Target, after: Files) -> None:
    """Raise Refused for a module that Python imports from another file."""
    snapshot = target.inspection.snapshot
    for path in sorted(path for path, data in after.items() if data is not None):
        copy = snapshot.compiled_copy(path)
        if copy:
            raise compiled_modules.refusal(patch, snapshot.path, path, copy)


def _compile(inspection: Inspection, after: Files) -> None:
    """Compile the patched modules with the site's own Python. Raises Failed."""
    environment = inspection.environment
    sources = {path: data for path, data in after.items() if data and path.endswith(".py")}
    python = None if environment.own else environment.python
    is_known = environment.own or python is not None
    # As root, apply compiles as the owner of that Python.
    if sources and is_known and path_owners.owner_to_become([python] if python else []) is None:
        bytecode.check(python, sources, inspection.site.path)


def _described(change: Change) -> List[str]:
    verbs = {(True, False): "creates", (False, True): "removes", (False, False): "changes"}
    return [
        "%s %s" % (verbs[before is None, change.after[path] is None], path)
        for path, before in sorted(change.before.items())
    ]


# The patch file and the site.


def _candidate(made: NewPatch, version: str) -> Candidate:
    edition = made.edition
    old = made.old.data if made.old else None
    diff = unified_diff.diff(os.path.basename(edition.file), old, edition.data)
    return Candidate(edition.patch, edition.name, version, edition.file, made.text, diff)


def _write(made: NewPatch) -> List[str]:
    """Write the patch file; return the directories that had to be created."""
    directory = os.path.dirname(made.edition.file)
    patch_dir = os.path.dirname(directory)
    created = [path for path in (directory, patch_dir) if not os.path.isdir(path)]
    try:
        os.makedirs(patch_dir, mode=0o755, exist_ok=True)
        path_owners.refuse_foreign(patch_dir)  # another user may have just created it
        os.makedirs(directory, mode=0o755, exist_ok=True)
    except OSError as error:
        raise Failed("cannot create a directory: %s" % error.strerror, path=directory)
    patch_writer.write(made.edition.file, made.text, is_new=made.old is None)
    return created


def _adopt(
    arguments: argparse.Namespace,
    target: Target,
    made: NewPatch,
    result: Result,
    existing: List[str],
    candidate: Candidate,
    after: Files,
) -> Tuple[Result, bool]:
    """Record the patch in a site whose files have its bytes; leave any other site as it is.

    Return False if the site could not be changed: the caller then removes the patch file.
    """
    patch = made.edition.patch
    patch_dir = os.path.dirname(os.path.dirname(made.edition.file))
    patches = Catalog(without_repeated([patch_dir] + existing))
    inspections = selection.inspect_all(environments_of(arguments), patches)
    inspection = next(row for row in inspections if row.site.path == target.inspection.site.path)
    status = next(row for row in inspection.statuses if row.patch == patch)
    if status.state != states.APPLIED and not _has_files(inspection, status, made.edition, after):
        report = site_report(_only(inspection, patch), exit_code=0)
        notes = (
            *result.notes,
            "the site was not changed, because its files are not the patched ones",
        )
        result = result._replace(
            content=CreatedPatch(candidate, (report,)),
            notes=notes,
            next=jhpatch_command("apply", patch),
        )
        return result, True
    now = timestamps.now(time.time())
    operation = Operation("apply", frozenset([patch]), __version__, now)
    dated = "SOURCE_DATE_EPOCH" in arguments.environ
    done = execute(Run(operation, patches, arguments.lock_timeout, False, dated), [inspection])
    reports = tuple(_report_of(report, patch) for report in done.sites)
    is_adopted = not done.exit_code or any(site.changed for site in reports)
    if not is_adopted:
        reports = tuple(report._replace(patches=()) for report in reports)
    return result._replace(content=CreatedPatch(candidate, reports)), is_adopted


def _has_files(
    inspection: Inspection, status: PatchStatus, edition: Edition, after: Files
) -> bool:
    """Return whether a site with an older version of a patch has the files of the new one.

    ``apply`` then changes only the records.
    """
    read = inspection.snapshot.read
    older = status.applied.files if status.applied else ()
    own = {*after, *(addition.path for addition in edition.adds)}
    return (
        status.state == states.OUTDATED
        and all(read(path) == data for path, data in after.items())
        and all(file.path in own or digest(read(file.path)) == file.before for file in older)
    )


def _only(inspection: Inspection, patch: str) -> Inspection:
    statuses = tuple(status for status in inspection.statuses if status.patch == patch)
    return inspection._replace(statuses=statuses)


def _report_of(report: SiteReport, patch: str) -> SiteReport:
    """Return the report without other patches, and without a next step that cannot work.

    Root would refuse the patch directory of the user who runs the command.
    """
    error = report.error
    steps = error.next.parts if error and error.next else ()
    if error and any(not isinstance(step, str) and step.before for step in steps):
        words = "run the same command as the owner of the site, with a --patches DIR that they own"
        report = report._replace(error=error._replace(next=NextStep(words)))
    return report._replace(patches=tuple(row for row in report.patches if row.patch == patch))


def _is_recorded(target: Target, edition: Edition) -> bool:
    """Return whether the site has recorded an edition."""
    path = target.inspection.site.path
    sites = inspect(target.inspection.environment, Catalog([]))
    saved = next((row.snapshot.state for row in sites if row.site.path == path), None)
    recorded = {(row.patch, row.digest) for row in (saved.patches() if saved else ())}
    return (edition.patch, digest_of_edition(edition)) in recorded


def _take_back(made: NewPatch, created: List[str]) -> None:
    """Restore the patch directory, because the site could not record the patch."""
    if made.old is not None:
        patch_writer.write(made.old.file, made.old.data.decode("utf-8", "surrogateescape"))
        return
    with contextlib.suppress(OSError):
        os.unlink(made.edition.file)
        for directory in created:
            os.rmdir(directory)
