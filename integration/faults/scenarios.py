"""What is killed and made to fail: each command, on each kind of site."""

from typing import NamedTuple, Tuple

from integration.faults.strace import jhpatch, points, struck


class Scenario(NamedTuple):
    """A command on a site that is pristine or applied, perhaps after a run that died there."""

    name: str
    start: str
    died: Tuple[str, ...]
    command: str


SCENARIOS = [
    Scenario("apply", "pristine", (), "apply"),
    Scenario("revert", "applied", (), "revert"),
    Scenario("apply that recovers an apply", "pristine", ("apply",), "apply"),
    Scenario("apply that recovers a revert", "applied", ("revert",), "apply"),
    Scenario("revert that recovers an apply", "pristine", ("apply",), "revert"),
    Scenario("revert that recovers a revert", "applied", ("revert",), "revert"),
]


_LAST = "renameat"  # by Python's os.replace


def died(lab, scenario, site, log):
    """A site in which the runs of a scenario have died, each before its last rename."""
    lab.copy(getattr(lab, scenario.start), site)
    for command in scenario.died:
        every = points(jhpatch(command, "--site", lab.copy(lab.aged(site), site + "-count")), log)
        last = [point for point in every if point.call.startswith(_LAST)][-2]
        assert struck(jhpatch(command, "--site", site), last, "signal=KILL", log).struck
        assert lab.is_mixed(site)
    return lab.aged(site)
