"""``jhpatch status``: show the state of each patch; read-only, without a lock."""

import argparse
import functools
import os
from typing import Any, Dict, FrozenSet, List, Set, Tuple

from jhpatch import __version__
from jhpatch.commands.arguments import add_arguments as add_shared_arguments
from jhpatch.commands.arguments import catalog_of, inspected
from jhpatch.errors import (
    Failed,
    JhpatchError,
    Refused,
    Usage,
    command_alone,
    jhpatch_command,
    permission_denied,
)
from jhpatch.installer import selection
from jhpatch.installer.environment import environment_of
from jhpatch.installer.inspection import Inspection
from jhpatch.installer.plan import Operation, would_change
from jhpatch.installer.site_report import site_report
from jhpatch.patchset.catalog import Catalog
from jhpatch.report import packing, states
from jhpatch.report.result import Result, SiteReport, Sites, error_of

_LIMIT = 60.0  # seconds, to inspect an environment as its user


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``status``."""
    help_text = "Show the environments of running hubs and users' servers"
    parser.add_argument("--all", action="store_true", help=help_text)
    add_shared_arguments(parser)


def run(arguments: argparse.Namespace) -> Result:
    """Show the states. Exit code 3: a patch needs a change; 4: another run; 5: no target."""
    if arguments.all and (arguments.python or arguments.site):
        raise Usage(
            "--all and the name of an environment exclude each other",
            expected="--all, or --python PATH, or --site DIR",
            found="--all with " + ("--python" if arguments.python else "--site"),
            next=command_alone("status", "--all"),
        )
    catalog = catalog_of(arguments, whole=False)
    if arguments.all:
        # Before the first child process, and once for all environments.
        named = selection.patch_names(arguments.patch, catalog, [])
        rows = _all_sites(arguments, catalog, named)
    else:
        sites, named = inspected(arguments, catalog)
        selection.refuse_nothing_here(sites, named)
        rows = tuple(_report(site, named) for site in sites)
    return Result("status", Sites(rows), named=tuple(sorted(named)))


def _report(site: Inspection, named: FrozenSet[str]) -> SiteReport:
    operation = Operation("apply", named, __version__)
    try:
        statuses = selection.changeable(site, operation)
        would = would_change(operation, site.snapshot, statuses)
    except Refused:
        would = False
    shown = tuple(status for status in site.statuses if operation.concerns(status.patch))
    return site_report(site._replace(statuses=shown), would_change=would, restart=True)


# --all


def _all_sites(
    arguments: argparse.Namespace, catalog: Catalog, named: FrozenSet[str]
) -> Tuple[SiteReport, ...]:
    """Report each running environment once; read those that a user can write as that user."""
    from jhpatch.system import become_user, path_owners, processes

    rows: Dict[str, SiteReport] = {}
    users_rows: Dict[str, SiteReport] = {}
    """The reports of children that ran as a user, who decides what they contain."""
    stopped: Set[int] = set()
    inspected_pythons = set()
    for python, uid in processes.interpreters():
        writer = None
        try:
            _refuse_removed(python)
            writer = path_owners.writer_of(python) if os.geteuid() == 0 else None
            if writer is None:
                reports = _sites_of(python, catalog, named)
            elif (uid or writer.uid) in stopped:
                raise Failed(
                    "not inspected: another environment of this user exceeded the time limit"
                )
            elif uid or writer.uid:
                catalog.load()
                user = uid or writer.uid
                work = functools.partial(_packed, python, catalog, named)
                try:
                    answer = become_user.run_as(user, work, limit=_LIMIT)
                except become_user.TimedOut:
                    stopped.add(user)
                    raise
                reports = packing.unpacked(answer)
            else:
                raise Refused(
                    "as root, jhpatch does not inspect a path that several other users can write",
                    path=writer.path,
                    expected="a path that, besides root, at most one user can write",
                    found="mode %04o" % writer.mode,
                    next=path_owners.step_to_close([writer]),
                )
        except (JhpatchError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            failure = _failure(python, error)
            code = failure.exit_code
            reports = (SiteReport(python, python, None, exit_code=code, error=error_of(failure)),)
        else:
            inspected_pythons.add(python)
        for report in reports:
            known = rows if writer is None else users_rows
            # The Pythons of several environments can be links to one file.
            is_site = report.site != python
            known.setdefault(os.path.realpath(report.site) if is_site else python, report)
    rows = dict(users_rows, **rows)
    if not rows:
        raise Refused(
            "jhpatch found no running hub and no user's server on this host",
            expected="a running jupyterhub or jupyterhub-singleuser",
            found="none that this user can see",
            next=jhpatch_command("status", "--python", "/path/to/the/hub/bin/python"),
        )
    if named and not any(map(_is_about_a_patch, rows.values())):
        raise Refused(
            "no environment of a running server has a distribution of these patches",
            path=", ".join(sorted(rows)),
            expected=" or ".join(sorted({name.partition("/")[0] for name in named})),
            found="none of them",
            next=jhpatch_command("status", "--all"),
        )
    arguments.python = sorted(inspected_pythons & {report.python for report in rows.values()})
    return tuple(rows[path] for path in sorted(rows))


def _refuse_removed(python: str) -> None:
    try:
        os.lstat(python)
    except (FileNotFoundError, NotADirectoryError):
        raise Failed(
            "the Python of a running server does not exist on this host",
            path=python,
            expected="the Python that the server was started with",
            found="nothing",
            next="if the server runs in a container, run jhpatch there; if its environment was "
            "removed or replaced, restart the server",
        )
    except OSError:
        return  # the inspection reports it


def _failure(python: str, error: Exception) -> JhpatchError:
    """Return the error of an environment that a process names, not the command line."""
    if isinstance(error, Usage):
        message = "the environment of a running server cannot be inspected"
        return Failed(message, error.path, error.expected, error.found)
    if isinstance(error, JhpatchError):
        return error
    if isinstance(error, PermissionError):
        return permission_denied("an environment cannot be read", str(error.filename or python))
    if isinstance(error, OSError):
        path = str(error.filename or python)
        return Failed("cannot read an environment: %s" % error.strerror, path=path)
    return Failed("a child process returned unexpected output", path=python)


def _is_about_a_patch(site: SiteReport) -> bool:
    return bool(
        site.error or site.journal or any(row.state != states.ABSENT for row in site.patches)
    )


def _sites_of(python: str, catalog: Catalog, named: FrozenSet[str]) -> Tuple[SiteReport, ...]:
    sites = selection.inspect_all([environment_of(python)], catalog)
    return tuple(_report(site, named) for site in sites)


def _packed(python: str, catalog: Catalog, named: FrozenSet[str]) -> List[Dict[str, Any]]:
    return packing.packed(_sites_of(python, catalog, named))
