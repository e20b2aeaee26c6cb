"""Which sites and which patches a command means."""

import contextlib
import os
from typing import Dict, FrozenSet, Iterable, List, Tuple

from jhpatch.errors import Refused, Usage, jhpatch_command, reinstall_command, shell_command
from jhpatch.installer import inspection
from jhpatch.installer.assessment import PatchStatus
from jhpatch.installer.environment import Environment
from jhpatch.installer.inspection import Inspection
from jhpatch.installer.plan import Operation
from jhpatch.patchset.catalog import Catalog
from jhpatch.patchset.edition import normalized
from jhpatch.report import states


def refuse_untrusted(catalog: Catalog) -> None:
    """As root jhpatch changes a site only from what root alone can write.

    That is the patches and the package itself: too late for an attack, in time for a
    mistake. Raises Refused.
    """
    from jhpatch.system import path_owners  # status does without

    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path_owners.refuse_foreign(package)
    for patch_dir in catalog.patch_dirs:
        if os.path.dirname(patch_dir) != package or os.path.islink(
            patch_dir
        ):  # else inspected already
            path_owners.refuse_foreign(patch_dir)


def inspect_all(environments: List[Environment], catalog: Catalog) -> List[Inspection]:
    """All sites of the environments, each inspected once, whatever its names are."""
    once = _each_once(environments)
    return [site for environment in once for site in inspection.inspect(environment, catalog)]


def _each_once(environments: List[Environment]) -> List[Environment]:
    """Without the sites that another one has: a run would wait for its own lock."""
    owners: Dict[Tuple[int, int], Tuple[bool, int, str]] = {}
    for number, environment in enumerate(environments):
        for site in environment.sites:
            # Where it counts as inside it may be changed; of these the first.
            rank = (not site.inside, number, site.path)
            owners[identity(site.path)] = min(rank, owners.get(identity(site.path), rank))
    distinct = []
    for number, environment in enumerate(environments):
        sites = (site for site in environment.sites if owners[identity(site.path)][1] == number)
        reduced = environment._replace(sites=tuple(sites))
        if reduced.sites or not environment.sites:
            distinct.append(reduced)
    return distinct


def identity(path: str) -> Tuple[int, int]:
    """A site whatever its name is: device and inode. Raises OSError."""
    status = os.stat(path)
    return status.st_dev, status.st_ino


def patch_names(
    typed: Iterable[str], catalog: Catalog, inspections: List[Inspection]
) -> FrozenSet[str]:
    """The patches that were named, as the catalog spells them. Raises Usage for an unknown one."""
    if not typed:
        return frozenset()
    spelled = {_comparable(patch): patch for patch in catalog.patches(catalog.distributions)}
    for status in (status for site in inspections for status in site.statuses):
        spelled.setdefault(_comparable(status.patch), status.patch)
    for name in typed:
        if _comparable(name) not in spelled:
            raise Usage(
                "no patch has this name: " + name,
                expected="one of " + ", ".join(sorted(spelled.values())),
                found=name,
                next=jhpatch_command("list"),
            )
    return frozenset(spelled[_comparable(name)] for name in typed)


def _comparable(patch: str) -> str:
    distribution, _, slug = patch.partition("/")
    return "%s/%s" % (normalized(distribution), slug)


def changeable(site: Inspection, operation: Operation) -> Tuple[PatchStatus, ...]:
    """The patches of a site that ``operation`` may change: not those of a hidden copy.

    Raises Refused for a copy that counts and lies in a site outside of the environment.
    """
    statuses = tuple(
        status for status in site.statuses if status.applied or not site.is_shadowed(status.patch)
    )
    if site.site.inside:
        return statuses
    for status in statuses:
        if operation.concerns(status.patch) and _is_touched(status, operation):
            raise Refused(
                "%s lies in a site outside of the environment" % status.patch,
                path=site.site.path,
                expected="a site in " + site.environment.prefix,
                found=site.site.path,
                next=shell_command("--site", site.site.path)
                + ", where this site shall be changed",
            )
    return ()


def _is_touched(status: PatchStatus, operation: Operation) -> bool:
    if operation.reverting:
        return bool(status.applied) or status.state in (states.APPLIED, states.OUTDATED)
    return status.state not in (states.ABSENT, states.NOT_NEEDED, states.APPLIED)


def refuse_nothing_here(
    inspections: List[Inspection], named: FrozenSet[str] = frozenset()
) -> None:
    """Raises Refused where no site has anything that a patch, or a named one, is for."""
    if not any(_concerns_us(site, named) for site in inspections):
        broken = [name for site in inspections for name in _abandoned(site.site.path)]
        raise Refused(
            "nothing here that jhpatch has a patch for",
            path=", ".join(site.site.path for site in inspections) or None,
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


def _concerns_us(site: Inspection, named: FrozenSet[str]) -> bool:
    if site.error or site.journal or (site.snapshot.state and not named):
        return True
    return any(
        status.state != states.ABSENT or (named and status.applied)
        for status in site.statuses
        if not named or status.patch in named
    )
