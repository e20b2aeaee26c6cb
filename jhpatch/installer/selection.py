"""What a command line names: environments, patches, and the catalog to read them from."""

import argparse
import contextlib
import os
from typing import Callable, Dict, Iterable, List, Set, Tuple

from jhpatch.errors import Refused, Usage, jhpatch_command, reinstall_command, shell_command
from jhpatch.installer import environment as environments
from jhpatch.installer import inspection
from jhpatch.installer.assessment import PatchStatus
from jhpatch.installer.environment import Environment
from jhpatch.installer.inspection import Inspection
from jhpatch.patchset import catalog
from jhpatch.patchset.catalog import Catalog
from jhpatch.patchset.edition import normalized

_TREE = "another tree of patches beside jhpatch's own; may repeat"


def add_arguments(parser: argparse.ArgumentParser, changes: bool, patches: bool) -> None:
    """The arguments that commands share; ``changes``: for one that writes."""
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
    add_tree(parser)
    add_talk(parser)
    if changes:
        add("--dry-run", action="store_true", help="say what would be done; write nothing")
        add(
            "--lock-timeout",
            type=number(0, 86400, "seconds"),
            default=10.0,
            metavar="SECONDS",
            help="how long to wait for another run to end (default: 10)",
        )


def add_tree(parser: argparse.ArgumentParser, help: str = _TREE) -> None:
    """``--patches``."""
    parser.add_argument("--patches", action="append", default=[], metavar="DIR", help=help)


def add_talk(parser: argparse.ArgumentParser) -> None:
    """How every command answers."""
    add = parser.add_argument
    add("--json", action="store_true", help="one JSON document on standard output")
    add("-q", "--quiet", action="store_true", help="say nothing but what is wrong")
    add("-v", "--verbose", action="store_true", help="say more: hashes, reasons, what is fine")


def add_wheels(parser: argparse.ArgumentParser) -> None:
    """Where the tools of who keeps patches find releases."""
    text = "where wheels lie, and stay that pip brings; default: nowhere"
    parser.add_argument("--wheels", metavar="DIR", help=text)


def number(least: float, most: float, unit: str) -> Callable[[str], float]:
    """What reads an option's value, for argparse: a number in that range."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            words = "expected %g to %g %s, found %r" % (least, most, unit, text)
            raise argparse.ArgumentTypeError(words)
        return value

    return read


def catalog_of(arguments: argparse.Namespace, whole: bool = True) -> Catalog:
    """jhpatch's own patches and those of each ``--patches``; ``whole`` as ``Catalog`` has it.

    Raises Usage as ``trees_of``.
    """
    return Catalog((catalog.own_tree(),) + tuple(trees_of(arguments)), whole)


def trees_of(arguments: argparse.Namespace) -> List[str]:
    """What ``--patches`` names. Raises Usage for a tree that is not there: it is no empty one."""
    trees: List[str] = arguments.patches
    for tree in trees:
        if not os.path.isdir(tree):
            raise Usage(
                "--patches names no folder",
                path=tree,
                expected="a folder with <distribution>/<release>-<slug>.patch in it",
                found="a file" if os.path.exists(tree) else "nothing",
            )
    return trees


def trusted_catalog_of(arguments: argparse.Namespace) -> Catalog:
    """The same for a command that changes: as root only what root alone can write.

    The package itself too: that is too late for an attack, and in time for a mistake.
    Raises Refused.
    """
    from jhpatch.system import path_owners  # status does without

    known = catalog_of(arguments)
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path_owners.refuse_foreign(package)
    for tree in known.trees:
        if os.path.dirname(tree) != package or os.path.islink(tree):  # else looked at already
            path_owners.refuse_foreign(tree)
    return known


def environments_of(arguments: argparse.Namespace) -> List[Environment]:
    """The environments that ``--python`` and ``--site`` name, or one's own."""
    named = [environments.environment_of(path) for path in arguments.python]
    named += [environments.site_alone(path) for path in arguments.site]
    return named or [environments.own_environment()]


def inspections_of(environments: List[Environment], known: Catalog) -> List[Inspection]:
    """All sites of the environments, each looked at once, whatever its names are."""
    once = _each_once(environments)
    return [one for environment in once for one in inspection.inspect(environment, known)]


def _each_once(environments: List[Environment]) -> List[Environment]:
    """Without the sites that another one has: a run would wait for its own lock."""
    owners: Dict[Tuple[int, int], Tuple[bool, int, str]] = {}
    for number, environment in enumerate(environments):
        for one in environment.sites:
            # Where it counts as inside it may be changed; of these the first.
            rank = (not one.inside, number, one.path)
            owners[identity(one.path)] = min(rank, owners.get(identity(one.path), rank))
    found = []
    for number, environment in enumerate(environments):
        sites = (one for one in environment.sites if owners[identity(one.path)][1] == number)
        found.append(environment._replace(sites=tuple(sites)))
    return [one for one, old in zip(found, environments) if one.sites or not old.sites]


def identity(path: str) -> Tuple[int, int]:
    """A site whatever its name is: device and inode. Raises OSError."""
    found = os.stat(path)
    return found.st_dev, found.st_ino


def patch_names(wanted: Iterable[str], known: Catalog, inspections: List[Inspection]) -> Set[str]:
    """The patches that were named, as the catalog spells them. Raises Usage for an unknown one."""
    if not wanted:
        return set()
    spelled = {_comparable(patch): patch for patch in known.patches(known.distributions)}
    for found in (found for one in inspections for found in one.assessments):
        spelled.setdefault(_comparable(found.patch), found.patch)
    for name in wanted:
        if _comparable(name) not in spelled:
            raise Usage(
                "no patch has this name: " + name,
                expected="one of " + ", ".join(sorted(spelled.values())),
                found=name,
                next=jhpatch_command("list"),
            )
    return {spelled[_comparable(name)] for name in wanted}


def _comparable(patch: str) -> str:
    distribution, _, slug = patch.partition("/")
    return "%s/%s" % (normalized(distribution), slug)


def within_reach(
    here: Inspection, named: Set[str], reverting: bool = False
) -> Tuple[PatchStatus, ...]:
    """The patches of a site that a change may touch: not those of a hidden copy.

    Raises Refused for a copy that counts and lies in a site outside of the environment.
    """
    chosen = tuple(
        one for one in here.assessments if one.applied or not here.is_shadowed(one.patch)
    )
    needy = [
        one for one in chosen if (one.patch in named or not named) and _is_touched(one, reverting)
    ]
    if not here.site.inside and needy:
        raise Refused(
            "%s lies in a site outside of the environment" % needy[0].patch,
            path=here.site.path,
            expected="a site in " + here.environment.prefix,
            found=here.site.path,
            next=shell_command("--site", here.site.path) + ", where this site shall be changed",
        )
    return chosen if here.site.inside else ()


def _is_touched(one: PatchStatus, reverting: bool) -> bool:
    if reverting:
        return bool(one.applied) or one.state in ("applied", "outdated")
    return one.state not in ("absent", "not-needed", "applied")


def refuse_nothing_here(inspections: List[Inspection]) -> None:
    """Raises Refused where no site has anything that a patch is for."""
    if not any(_concerns_us(one) for one in inspections):
        broken = [name for one in inspections for name in _abandoned(one.site.path)]
        raise Refused(
            "nothing here that jhpatch has a patch for",
            path=", ".join(one.site.path for one in inspections) or None,
            expected="jupyterhub, notebook or jupyter_server, or what --patches names",
            found="none of them"
            + "; %s, which a pip left that broke off" % ", ".join(broken) * bool(broken),
            next=reinstall_command("NAME==RELEASE") + " with the pip of this environment"
            if broken
            else "name the environment of the hub: --python /path/to/its/bin/python",
        )


def _abandoned(path: str) -> List[str]:
    """What pip renamed to remove it, and would rename back: to all others it is gone.

    pip's ``AdjacentTempDirectory``; one that is killed, or misses a file, leaves it for good.
    """
    with contextlib.suppress(OSError):
        return [
            name
            for name in sorted(os.listdir(path))
            if name.startswith("~") and name.endswith(".dist-info")
        ]
    return []


def _concerns_us(one: Inspection) -> bool:
    if one.error or one.journal or one.view.state:
        return True
    return any(found.state != "absent" for found in one.assessments)
