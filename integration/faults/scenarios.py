"""What is killed and made to fail: each command, on each kind of site."""

from typing import NamedTuple, Tuple

from integration.faults.strace import jhpatch, points, struck


class Scenario(NamedTuple):
    """A command on a site that is pristine or applied, perhaps after a run that died there."""

    name: str
    start: str
    died: Tuple[str, ...]
    command: str
    packages: bool = False
    """Whether the patches add a package (``package_lab``)."""

    @property
    def stride(self) -> int:
        """Which of its calls are struck without ``--long``: every fifth, or every twentieth.

        The small site has each kind of call; kills and errors strike different ones.
        """
        return 5 if self.packages and not self.died else 20


SCENARIOS = [
    Scenario("apply", "pristine", (), "apply"),
    Scenario("revert", "applied", (), "revert"),
    Scenario("apply that recovers an apply", "pristine", ("apply",), "apply"),
    Scenario("apply that recovers a revert", "applied", ("revert",), "apply"),
    Scenario("revert that recovers an apply", "pristine", ("apply",), "revert"),
    Scenario("revert that recovers a revert", "applied", ("revert",), "revert"),
]
PACKAGES = [
    Scenario("apply of a package", "pristine", (), "apply", True),
    Scenario("apply in place of an older helper", "outdated", (), "apply", True),
    Scenario("revert of a package", "applied", (), "revert", True),
    Scenario("revert of an older helper", "outdated", (), "revert", True),
    Scenario("apply that recovers an upgrade", "outdated", ("apply",), "apply", True),
    Scenario("revert that recovers a package's revert", "applied", ("revert",), "revert", True),
]
STARTS = {"pristine": "before", "applied": "after", "outdated": "older"}
"""The state of a site at the start."""


_LAST = "renameat"  # by Python's os.replace


def typed(lab, command, site):
    """The command on a site, as root types it."""
    return jhpatch(command, "--site", site, *lab.options)


def died(lab, scenario, site, log):
    """A site in which the runs of a scenario have died, each before its last rename."""
    lab.copy(getattr(lab, scenario.start), site)
    for command in scenario.died:
        every = points(typed(lab, command, lab.copy(lab.aged(site), site + "-count")), log)
        last = [point for point in every if point.call.startswith(_LAST)][-2]
        assert struck(typed(lab, command, site), last, "signal=KILL", log).struck
        assert lab.is_mixed(site)
    return lab.aged(site)
