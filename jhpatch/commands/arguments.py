"""The options that commands share, and the values that they name."""

import argparse
import os
import sys
from typing import Callable, Dict, FrozenSet, Iterable, List, Optional, Tuple

from jhpatch.errors import JhpatchError, Usage
from jhpatch.installer import environment, selection
from jhpatch.installer.environment import Environment
from jhpatch.installer.inspection import Inspection
from jhpatch.installer.plan import Operation
from jhpatch.patchset import catalog, patch_sets
from jhpatch.patchset.catalog import Catalog
from jhpatch.patchset.edition import digest
from jhpatch.report.result import Result, Sites

_PATCHES_HELP = (
    "Use this patch directory in addition to jhpatch's own, those in JHPATCH_PATCHES, %s and "
    "installed patch sets; can be given more than once" % patch_sets.STANDING
)
_WHEELS_HELP = (
    "Read wheels from this directory, and keep those that pip downloads (default: keep none)"
)


def add_arguments(
    parser: argparse.ArgumentParser,
    changes: bool = False,
    patches: bool = True,
    patches_help: str = _PATCHES_HELP,
) -> None:
    """Add the arguments that commands share; ``changes`` for a command that changes sites.

    ``patches`` adds the names of patches; ``patches_help`` is the help of ``--patches``.
    """
    add = parser.add_argument
    if patches:
        add(
            "patch",
            nargs="*",
            metavar="PATCH",
            help="A patch name from `jhpatch list` (default: all)",
        )
    add(
        "--python",
        action="append",
        default=[],
        metavar="PATH",
        help="Use the environment of this Python, or in this directory; can be given more than "
        "once (default: the Python that runs jhpatch)",
    )
    add(
        "--site",
        action="append",
        default=[],
        metavar="DIR",
        help="Use this site-packages directory, such as one in a container image, without its "
        "Python; can be given more than once",
    )
    add_patches(parser, patches_help)
    add_only_patches(parser)
    add_output_options(parser)
    if changes:
        add("--dry-run", action="store_true", help="Show what would be done, without doing it")
        add(
            "--lock-timeout",
            type=number(0, 86400, "seconds"),
            default=10.0,
            metavar="SECONDS",
            help="Wait at most this long for another run to end (default: 10)",
        )


def add_patches(parser: argparse.ArgumentParser, help: str = _PATCHES_HELP) -> None:
    """Add ``--patches``."""
    parser.add_argument("--patches", action="append", default=[], metavar="DIR", help=help)


def add_only_patches(parser: argparse.ArgumentParser) -> None:
    """Add ``--only-patches``."""
    text = "Ignore the patches that come with jhpatch"
    parser.add_argument("--only-patches", action="store_true", help=text)


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command: ``--json``, ``--quiet`` and ``--verbose``."""
    add = parser.add_argument
    add("--json", action="store_true", help="Print the result as JSON")
    add("-q", "--quiet", action="store_true", help="Print errors only")
    add(
        "-v",
        "--verbose",
        action="store_true",
        help="Print more, such as hashes, reasons and tracebacks",
    )


def add_wheels(parser: argparse.ArgumentParser, help: str = _WHEELS_HELP) -> None:
    """Add ``--wheels``."""
    parser.add_argument("--wheels", metavar="DIR", help=help)


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
    """Return the patches of ``all_patch_dirs_of``; ``whole`` as in ``Catalog``. Raises Usage."""
    return Catalog(all_patch_dirs_of(arguments), whole)


def all_patch_dirs_of(arguments: argparse.Namespace) -> List[str]:
    """Return jhpatch's own patch directory, those of ``--patches``, and the standing ones
    (``patch_sets``); with ``--only-patches``, without jhpatch's own.

    Raises Usage for a directory that does not exist or has no patch. A revert needs no patches:
    for it, only a directory that ``--patches`` names must exist.
    """
    others = without_repeated(patch_dirs_of(arguments) + standing_patch_dirs(arguments))
    if not arguments.only_patches:
        return [catalog.own_patch_dir()] + others
    if not others:
        raise Usage(
            "--only-patches needs a patch directory", expected="--patches DIR", found="none"
        )
    return others


def without_repeated(patch_dirs: Iterable[str]) -> List[str]:
    """Return patch directories, each once: a patch that is read twice conflicts with itself."""
    by_path: Dict[str, str] = {}
    for path in patch_dirs:
        by_path.setdefault(os.path.realpath(path), path)
    return list(by_path.values())


def patch_dirs_of(arguments: argparse.Namespace) -> List[str]:
    """Return the values of ``--patches``. Raises Usage as ``all_patch_dirs_of``."""
    patch_dirs: List[str] = arguments.patches
    for patch_dir in patch_dirs:
        _refuse_unreadable(patch_dir, "--patches", _command(arguments) != "revert")
    return patch_dirs


def standing_patch_dirs(arguments: argparse.Namespace) -> List[str]:
    """Return the patch directories that no option names. Raises Usage."""
    found = _standing(arguments)
    if _command(arguments) == "revert":
        return [path for path, _ in found if os.path.isdir(path)]
    for path, source in found:
        _refuse_unreadable(path, source)
    return [path for path, _ in found]


def patch_dirs_beside(arguments: argparse.Namespace, patch_dir: str) -> List[str]:
    """Return the patch directories of ``create``, which writes to ``patch_dir``, without it.

    Unlike those of other commands, they can be empty: the patch that is created can be the
    first one. Raises Usage for one that does not exist.
    """
    found = [(path, "--patches") for path in arguments.patches] + _standing(arguments)
    own = [] if arguments.only_patches else [catalog.own_patch_dir()]
    others = [row for row in found if os.path.realpath(row[0]) != os.path.realpath(patch_dir)]
    for path, source in others:
        _refuse_unreadable(path, source, needs_patches=False)
    return without_repeated(own + [path for path, _ in others])


def _standing(arguments: argparse.Namespace) -> List[Tuple[str, str]]:
    """Return the patch directories that no option names, and what names each."""
    named = arguments.environ.get("JHPATCH_PATCHES", "").split(os.pathsep)
    found = [(path, "JHPATCH_PATCHES") for path in named if path]
    found += [(path, path) for path in [patch_sets.STANDING] if _found(path) != "nothing"]
    found += [(path, "the patch set " + name) for name, path in patch_sets.installed(sys.path)]
    return found


def _found(path: str) -> str:
    """Return what a path is instead of a readable directory, as text for a message."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return "a symlink whose target does not exist" if os.path.islink(path) else "nothing"
    except OSError as error:
        return error.strerror or "nothing"
    return "a directory" if os.path.isdir(path) else "a file"


def _command(arguments: argparse.Namespace) -> Optional[str]:
    return getattr(arguments, "command", None)


def _refuse_unreadable(patch_dir: str, source: str, needs_patches: bool = True) -> None:
    if not os.path.isdir(patch_dir):
        verb = "is not" if source == patch_dir else "does not name"
        raise Usage(
            "%s %s a directory" % (source, verb),
            path=patch_dir,
            expected="a directory with %s" % catalog.LAYOUT.replace(" in the directory", ""),
            found=_found(patch_dir),
            next=None if source == "--patches" else _way_out(source),
        )
    if needs_patches:
        catalog.refuse_empty(patch_dir)


def _way_out(source: str) -> str:
    """Return how to correct what names a directory that does not exist."""
    if source == "JHPATCH_PATCHES":
        return "correct or unset JHPATCH_PATCHES, then run the same command again"
    if source == patch_sets.STANDING:
        return "replace the path with a directory, or remove it; then run the same command again"
    return "install the distribution of %s again, or uninstall it" % source


def environments_of(arguments: argparse.Namespace) -> List[Environment]:
    """Return the environments of ``--python`` and ``--site``, else the one that runs jhpatch."""
    # With -I, the variables of this run are not those of a hub.
    environ = {} if sys.flags.ignore_environment else arguments.environ
    named = [environment.environment_of(path, environ) for path in arguments.python]
    named += [environment.site_alone(path) for path in arguments.site]
    return named or [environment.own_environment(environ)]


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

    patch_dirs = all_patch_dirs_of(arguments)
    notes: List[str] = []
    selection.refuse_untrusted(Catalog(patch_dirs))
    if operation.reverting:
        patch_dirs, notes = _without_faulty(patch_dirs)
    patches = Catalog(patch_dirs)
    sites, named = inspected(arguments, patches)
    dated = "SOURCE_DATE_EPOCH" in arguments.environ
    run = Run(
        operation._replace(named=named), patches, arguments.lock_timeout, arguments.dry_run, dated
    )
    result = execute(run, sites)
    reports = (site._replace(notes=(*site.notes, *notes)) for site in result.sites)
    return result._replace(content=Sites(tuple(reports))) if notes else result


def _without_faulty(patch_dirs: List[str]) -> Tuple[List[str], List[str]]:
    """Return the patch directories that can be read together, and notes on the others.

    A revert needs no patch file, so a faulty one must not prevent it. Raises Refused for one that
    root does not trust, before it is read.
    """
    sound: List[str] = []
    notes: List[str] = []
    for patch_dir in patch_dirs:
        selection.refuse_untrusted(Catalog([patch_dir]))
        try:
            for edition in catalog.editions([*sound, patch_dir]):
                digest(edition)  # reads the files that it adds
            sound.append(patch_dir)
        except JhpatchError as error:
            place = error.path or patch_dir
            message = "jhpatch ignored the patch directory %s: %s: %s"
            notes.append(message % (patch_dir, place, error.message))
    return sound, notes
