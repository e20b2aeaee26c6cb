"""The options that commands share, and the values that they name."""

import argparse
import os
from typing import Callable, FrozenSet, List, Tuple

from jhpatch.errors import Usage
from jhpatch.installer import environment, selection
from jhpatch.installer.environment import Environment
from jhpatch.installer.inspection import Inspection
from jhpatch.installer.plan import Operation
from jhpatch.patchset import catalog
from jhpatch.patchset.catalog import Catalog
from jhpatch.report.result import Result

_PATCHES_HELP = "another tree of patches beside jhpatch's own; may repeat"


def add_arguments(
    parser: argparse.ArgumentParser, changes: bool = False, patches: bool = True
) -> None:
    """Add the arguments that commands share; ``changes`` for a command that changes sites."""
    add = parser.add_argument
    if patches:
        add("patch", nargs="*", metavar="PATCH", help="a name from `jhpatch list`; default: all")
    add(
        "--python",
        action="append",
        default=[],
        metavar="PATH",
        help="the Python (or its "
        "environment's folder) to look at, in place of the one that runs jhpatch; may repeat",
    )
    add(
        "--site",
        action="append",
        default=[],
        metavar="DIR",
        help="a site-packages folder by itself, such as one in an image; may repeat",
    )
    add_patches(parser)
    add_output_options(parser)
    if changes:
        add("--dry-run", action="store_true", help="say what would be done; write nothing")
        add(
            "--lock-timeout",
            type=number(0, 86400, "seconds"),
            default=10.0,
            metavar="SECONDS",
            help="how long to wait for another run to end (default: 10)",
        )


def add_patches(parser: argparse.ArgumentParser, help: str = _PATCHES_HELP) -> None:
    """Add ``--patches``."""
    parser.add_argument("--patches", action="append", default=[], metavar="DIR", help=help)


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command: ``--json``, ``--quiet`` and ``--verbose``."""
    add = parser.add_argument
    add("--json", action="store_true", help="one JSON document on standard output")
    add("-q", "--quiet", action="store_true", help="say nothing but what is wrong")
    add("-v", "--verbose", action="store_true", help="say more: hashes, reasons, what is fine")


def add_wheels(parser: argparse.ArgumentParser) -> None:
    """Add ``--wheels``, for the commands for patch maintainers."""
    text = "where wheels lie, and stay that pip brings; default: nowhere"
    parser.add_argument("--wheels", metavar="DIR", help=text)


def number(least: float, most: float, unit: str) -> Callable[[str], float]:
    """Return a type for argparse: a number from ``least`` to ``most``, in ``unit``."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            message = "expected %g to %g %s, found %r" % (least, most, unit, text)
            raise argparse.ArgumentTypeError(message)
        return value

    return read


def catalog_of(arguments: argparse.Namespace, whole: bool = True) -> Catalog:
    """Return jhpatch's own patches and those of each ``--patches``; ``whole`` as in ``Catalog``.

    Raises Usage as ``patch_dirs_of``.
    """
    return Catalog([catalog.own_patch_dir()] + patch_dirs_of(arguments), whole)


def patch_dirs_of(arguments: argparse.Namespace) -> List[str]:
    """Return the values of ``--patches``. Raises Usage for a directory that does not exist."""
    patch_dirs: List[str] = arguments.patches
    for patch_dir in patch_dirs:
        if not os.path.isdir(patch_dir):
            raise Usage(
                "--patches names no folder",
                path=patch_dir,
                expected="a folder with <distribution>/<release>-<slug>.patch in it",
                found="a file" if os.path.exists(patch_dir) else "nothing",
            )
    return patch_dirs


def environments_of(arguments: argparse.Namespace) -> List[Environment]:
    """Return the environments of ``--python`` and ``--site``, by default the running one."""
    named = [environment.environment_of(path) for path in arguments.python]
    named += [environment.site_alone(path) for path in arguments.site]
    return named or [environment.own_environment()]


def inspected(
    arguments: argparse.Namespace, catalog: Catalog
) -> Tuple[List[Inspection], FrozenSet[str]]:
    """Inspect the sites of the command line; return them and the named patches.

    Raises Usage for an unknown name, Refused if no site has a distribution of the patches.
    """
    sites = selection.inspect_all(environments_of(arguments), catalog)
    named = selection.patch_names(arguments.patch, catalog, sites)
    selection.refuse_nothing_here(sites)
    return sites, named


def change(arguments: argparse.Namespace, operation: Operation) -> Result:
    """Execute ``operation`` for the patches and the sites of the command line."""
    from jhpatch.installer.execute import Run, execute  # not needed by status

    catalog = catalog_of(arguments)
    selection.refuse_untrusted(catalog)
    sites, named = inspected(arguments, catalog)
    dated = "SOURCE_DATE_EPOCH" in arguments.environ
    run = Run(
        operation._replace(named=named), catalog, arguments.lock_timeout, arguments.dry_run, dated
    )
    return execute(run, sites)
