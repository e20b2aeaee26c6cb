"""kill -9 at every system call of every command, of the recovery, and of its recovery.

Each test takes its share of the calls, so that the shares run side by side. Without
``--long`` only the calls that change something count: a kill at any other leaves what
the next of these leaves. Of the files of an added package the first two and the last count, of
the calls of a small site every fifth, of those of a recovery or a real release every twentieth.

With it, all calls of apply and revert, and all of a recovery from the first that names
the site on: before that, Python starts as it does for any command. What a kill leaves is
recovered once in a test: the same bytes under the same names have the same future.
"""

import shutil

import pytest

from integration.faults.scenarios import PACKAGES, SCENARIOS, died, typed
from integration.faults.strace import jhpatch, points, struck
from testing.trees import times, tree

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")


def chosen(lab, scenario, start, folder, thorough):
    """The calls at which to kill."""
    site = lab.copy(start, folder + "/count")
    command = typed(lab, scenario.command, site)
    every = points(command, folder + "/log", site if scenario.died else None)
    if thorough:
        return every
    few = [point for point in every if point.changes and not point.repeats]
    return few[:: scenario.stride]


@pytest.mark.parametrize("scenario", SCENARIOS + PACKAGES, ids=lambda scenario: scenario.name)
def test_a_kill_at_every_call(
    scenario, share, shares, scenario_lab, run, tmp_path, thorough, tally
):
    """No file is torn by it; the next command makes the whole so; revert gives all back."""
    folder, lab = str(tmp_path), scenario_lab
    start = died(lab, scenario, folder + "/start", folder + "/log")
    seen = set()
    for number, point in enumerate(chosen(lab, scenario, start, folder, thorough)):
        if number % shares != share:
            continue
        site = lab.copy(start, folder + "/site")
        ran = struck(typed(lab, scenario.command, site), point, "signal=KILL", folder + "/log")
        # What a run asks the kernel besides (memory, threads) differs from run to run.
        assert ran.struck or not point.changes, point
        left = frozenset(tree(site).items())
        if left not in seen:
            check(lab, run, site, point, number // shares)
        seen.add(left)
        tally("kill -9 at a system call: " + scenario.name, int(ran.struck))


def check(lab, run, site, point, turn):
    """What must hold after any kill."""
    assert not lab.torn(site), point
    assert lab.is_importable(site), point
    first, second = (("apply", "revert"), ("revert", "apply"))[turn % 2]
    for command in (first, second, "revert"):
        assert run(command, "--site", site, *lab.options) == 0, (point, command)
        assert lab.state(site) == {"apply": "after", "revert": "before"}[command], point


@pytest.mark.parametrize(
    "scenario", SCENARIOS[2:6:3] + PACKAGES[4:], ids=lambda scenario: scenario.name
)
def test_a_kill_in_the_recovery_of_a_recovery(
    scenario, share, shares, scenario_lab, run, tmp_path, thorough, tally
):
    """Killed at a call of the recovery, then at a call of the next one: the third is enough.

    Every other call of the first with every tenth of the second, and another beginning
    each time, so that all of the second have their turn too; a third of the first and a
    quarter of the second without --long.
    """
    folder, log, lab = str(tmp_path), str(tmp_path / "log"), scenario_lab
    start = died(lab, scenario, folder + "/start", log)
    few = 1 if thorough else 3
    seen = set()
    for number, point in enumerate(chosen(lab, scenario, start, folder, False)[::few]):
        if number % shares != share:
            continue
        broken = lab.copy(start, folder + "/broken")
        command = typed(lab, scenario.command, broken)
        assert struck(command, point, "signal=KILL", log).struck, point
        lab.aged(broken)
        stride = 5 if thorough else 20
        for again in chosen(lab, scenario, broken, folder, False)[number % stride :: stride]:
            site = lab.copy(broken, folder + "/site")
            command = typed(lab, scenario.command, site)
            assert struck(command, again, "signal=KILL", log).struck, (point, again)
            left = frozenset(tree(site).items())
            if left not in seen:
                check(lab, run, site, (point, again), number // shares)
            seen.add(left)
            tally("kill -9 in the recovery of a recovery: " + scenario.name)


@pytest.mark.parametrize("share", range(2))
def test_status_changes_nothing_wherever_it_dies(share, lab, tmp_path, thorough, tally):
    """Not even on a site where a run has died: no byte, no mode, no time."""
    folder, log = str(tmp_path), str(tmp_path / "log")
    site = died(lab, SCENARIOS[2], folder + "/start", log)
    before = times(site), tree(site)
    command = jhpatch("status", "--site", site)
    every = points(command, log)[:: 1 if thorough else 50]
    for point in every[share::2]:
        ran = struck(command, point, "signal=KILL", log)
        assert (times(site), tree(site)) == before, point
        tally("kill -9 at a system call: status", int(ran.struck))
