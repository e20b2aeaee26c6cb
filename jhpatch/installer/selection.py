"""The selection of the sites and the patches of a command."""

import os
from typing import Dict, FrozenSet, Iterable, List, Tuple, Union

from jhpatch.errors import NextStep, Refused, command_alone, jhpatch_command, unknown_name
from jhpatch.installer import inspection
from jhpatch.installer.environment import Environment
from jhpatch.installer.inspection import Inspection
from jhpatch.installer.patch_status import PatchStatus
from jhpatch.installer.plan import Operation
from jhpatch.patchset.catalog import Catalog
from jhpatch.patchset.edition import normalized
from jhpatch.report import states

_ELSEWHERE = (
    "install jhpatch into an environment of its own that only root can write, such as "
    "/opt/jhpatch, and run the same command there; name the environment to patch with --python or "
    "--site"
)


def refuse_untrusted(catalog: Catalog) -> None:
    """Raise Refused if, as root, another user can write the patches or jhpatch itself.

    The code of jhpatch runs already: the check finds mistakes, but cannot stop an attack.
    """
    from jhpatch.system import path_owners  # not needed by status

    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path_owners.refuse_foreign(package, _ELSEWHERE)
    for patch_dir in catalog.patch_dirs:
        is_checked = os.path.dirname(patch_dir) == package and not os.path.islink(patch_dir)
        if not is_checked:  # it is checked with the package
            path_owners.refuse_foreign(patch_dir)


def inspect_all(environments: List[Environment], catalog: Catalog) -> List[Inspection]:
    """Inspect all sites of the environments, each once, even if it has several paths."""
    unique = _without_duplicates(environments)
    return [site for environment in unique for site in inspection.inspect(environment, catalog)]


def _without_duplicates(environments: List[Environment]) -> List[Environment]:
    """Remove sites that occur twice: a run would wait for its own lock."""
    owners: Dict[Tuple[int, int], Tuple[bool, int, str]] = {}
    for number, environment in enumerate(environments):
        for site in environment.sites:
            # Prefer the environment that contains the site and may change it, then the first.
            rank = (not site.inside, number, site.path)
            owners[identity(site.path)] = min(rank, owners.get(identity(site.path), rank))
    unique = []
    for number, environment in enumerate(environments):
        sites = (site for site in environment.sites if owners[identity(site.path)][1] == number)
        reduced = environment._replace(sites=tuple(sites))
        if reduced.sites or not environment.sites:
            unique.append(reduced)
    return unique


def identity(path: str) -> Tuple[int, int]:
    """Return the device and the inode of a site, whatever its path. Raises OSError."""
    status = os.stat(path)
    return status.st_dev, status.st_ino


def patch_names(
    names: Iterable[str], catalog: Catalog, inspections: List[Inspection]
) -> FrozenSet[str]:
    """Return the named patches, as the catalog spells them. Raises Usage for an unknown name."""
    if not names:
        return frozenset()
    spellings = {
        _normalized_patch(patch): patch for patch in catalog.patches(catalog.distributions)
    }
    for status in (status for site in inspections for status in site.statuses):
        spellings.setdefault(_normalized_patch(status.patch), status.patch)
    for name in names:
        if _normalized_patch(name) not in spellings:
            raise unknown_name(
                "patch name", name, sorted(spellings.values()), jhpatch_command("list")
            )
    return frozenset(spellings[_normalized_patch(name)] for name in names)


def _normalized_patch(patch: str) -> str:
    distribution, _, slug = patch.partition("/")
    return "%s/%s" % (normalized(distribution), slug)


def changeable(site: Inspection, operation: Operation) -> Tuple[PatchStatus, ...]:
    """Return the patches of a site that ``operation`` can change; none of shadowed copies.

    Raises Refused if such a patch is in a site outside of the environment.
    """
    statuses = tuple(
        status for status in site.statuses if status.applied or not site.is_shadowed(status.patch)
    )
    if site.site.inside:
        return statuses
    for status in statuses:
        if operation.concerns(status.patch) and _is_touched(status, operation):
            raise Refused(
                "%s is in a site outside of the environment" % status.patch,
                path=site.site.path,
                expected="a site in " + site.environment.prefix,
                found=site.site.path,
                next=command_alone(
                    operation.command, "--site", site.site.path, *sorted(operation.named)
                ),
            )
    return ()


def _is_touched(status: PatchStatus, operation: Operation) -> bool:
    if operation.reverting:
        return bool(status.applied) or status.state in (states.APPLIED, states.OUTDATED)
    return status.state not in (states.ABSENT, states.NOT_NEEDED, states.APPLIED)


def refuse_nothing_here(
    inspections: List[Inspection], named: FrozenSet[str] = frozenset()
) -> None:
    """Raise Refused if no site has a distribution of the patches, or of the named ones."""
    if not any(is_relevant(site, named) for site in inspections):
        raise _nothing_here(inspections, named)


def _nothing_here(inspections: List[Inspection], named: FrozenSet[str]) -> Refused:
    message = "no distribution that jhpatch can patch is installed here"
    expected = "a distribution that has patches, such as jupyterhub"
    if named:
        message = "no distribution of these patches is installed here"
        expected = " or ".join(sorted({name.partition("/")[0] for name in named}))
    found = "none of them"
    step: Union[str, NextStep] = (
        "name the environment that has the distribution: --python /path/to/bin/python"
    )
    for site in inspections:
        broken = site.snapshot.abandoned
        if broken:
            found += "; %s, which an interrupted run of pip left" % ", ".join(
                distribution.info for distribution in broken
            )
            step = site.snapshot.reinstall(*broken)
            break
    return Refused(
        message,
        path=", ".join(site.site.path for site in inspections) or None,
        expected=expected,
        found=found,
        next=step,
    )


def is_relevant(site: Inspection, named: FrozenSet[str] = frozenset()) -> bool:
    """Return whether a site has a distribution of the patches, or of the named ones."""
    if site.error or site.journal or (site.snapshot.state and not named):
        return True
    return any(
        status.state != states.ABSENT or (named and status.applied)
        for status in site.statuses
        if not named or status.patch in named
    )
