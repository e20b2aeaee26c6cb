"""The copy of a package that Python imports if several directories have one."""

import os
from typing import Dict, FrozenSet, Iterable, List, Mapping, Optional, Tuple

from jhpatch.installer.environment import Environment, Site, python_path, user_site
from jhpatch.installer.patch_status import PatchStatus
from jhpatch.namedtuple import NamedTuple
from jhpatch.report import states
from jhpatch.system import processes
from jhpatch.system.processes import Server


class Shadows(NamedTuple):
    """The distributions of a site whose imported copy is elsewhere."""

    copies: Mapping[str, str] = {}
    """What Python imports, by the normalized name of the distribution."""
    unseen: FrozenSet[str] = frozenset()
    """Those whose imported copy has no row of its own in the report: a package without metadata,
    or one that only a running process imports."""

    def of_packages(self, statuses: Iterable[PatchStatus], earlier: List[str]) -> "Shadows":
        """Add packages without metadata, such as those of a directory in PYTHONPATH.

        ``earlier`` are the sites from which Python imports first.
        """
        return self._with_copies(statuses, earlier, "%s")

    def of_running(
        self,
        statuses: Iterable[PatchStatus],
        environment: Environment,
        site: Site,
        servers: Iterable[Server],
    ) -> "Shadows":
        """Add what running hubs and servers import, by their own variables and user sites.

        A user decides what their own server imports. So the caller passes only the servers
        whose owner it trusts; ``foreign_copies`` describes the others.
        """
        patched = [status for status in statuses if status.state in states.PATCHED]
        shadows = self
        for server in servers if patched else ():
            directories = _first_directories(environment, site, server)
            others = [path for path in directories if not _is_same(path, site.path)]
            text = "%%s in pid %d (%s)" % (server.info.pid, server.name)
            shadows = shadows._with_copies(patched, others, text)
        return shadows

    def _with_copies(
        self, statuses: Iterable[PatchStatus], directories: List[str], text: str
    ) -> "Shadows":
        copies: Dict[str, str] = dict(self.copies)
        unseen = set(self.unseen)
        for status in statuses if directories else ():
            name = status.distribution_name
            if status.distribution and name not in copies:
                copy = _first_copy(directories, _packages(status))
                if copy:
                    copies[name] = text % copy
                    unseen.add(name)
        return Shadows(copies, frozenset(unseen))


def foreign_copies(
    statuses: Iterable[PatchStatus],
    environment: Environment,
    site: Site,
    servers: Iterable[Server],
) -> Tuple[str, ...]:
    """Return notes about the copies that servers of other users import."""
    copies = Shadows().of_running(statuses, environment, site, servers).copies
    text = "the patches of %s have no effect in a user's server, which imports %s"
    return tuple(text % row for row in sorted(copies.items()))


def _first_directories(environment: Environment, site: Site, server: Server) -> List[str]:
    """Return the directories from which a server imports before a site of its environment."""
    variables = processes.variables_of(server)
    if variables is None:
        return []
    if site.precedes_user_site:
        return python_path(variables)
    users = user_site(environment, variables, variables.get("HOME") or processes.home_of(server))
    return python_path(variables) + ([users] if users else [])


def _is_same(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def _packages(status: PatchStatus) -> Tuple[str, ...]:
    """Return the names of the packages and modules that a patch changes."""
    paths = [change.path for change in (status.edition.changes if status.edition else ())]
    paths += [file.path for file in (status.applied.files if status.applied else ())]
    return tuple(sorted({path.partition("/")[0] for path in paths}))


def _first_copy(directories: Iterable[str], names: Tuple[str, ...]) -> Optional[str]:
    """Return the path of the first package or module of these names; None if there is none."""
    for directory in directories:
        for name in names:
            path = os.path.join(directory, name)
            if os.path.isfile(os.path.join(path, "__init__.py")):
                return path
            if name.endswith(".py") and os.path.isfile(path):
                return path
    return None
