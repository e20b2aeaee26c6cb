"""An error at every system call that can fail, of apply, of revert and of a recovery.

The errors are those of full, broken, read-only and busy disks. Each test takes its
share. With ``--long`` each call that changes something gives every error, and each that
reads gives one of them, in turn. Without it the calls that change something get one error
each, in turn: of the files of an added package the first two and the last, every third call of
a small site (test_kills.py has others), every twelfth of a real release and of a recovery.
"""

import itertools
import os
import shutil

import pytest

from integration.faults.scenarios import PACKAGES, SCENARIOS, STARTS, died, typed
from integration.faults.strace import points, struck

ERRORS = "ENOSPC EIO EROFS EACCES EDQUOT EMFILE EINTR".split()
FAILING = frozenset(
    "open openat write fsync rename renameat renameat2 unlink unlinkat "
    "chmod fchmod fchmodat chown fchown fchownat mkdir mkdirat rmdir flock".split()
)
MADE = ("the change was made", "cannot write the result", "could not be removed")
pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")


def chosen(lab, scenario, start, folder, thorough):
    """Pairs of a call and the error that it gives."""
    site = lab.copy(start, folder + "/count")
    every = points(typed(lab, scenario.command, site), folder + "/log", site)
    can = [point for point in every if point.call in FAILING]
    changing = [point for point in can if point.changes]
    if thorough:
        reading = [point for point in can if not point.changes]
        pairs = list(zip(reading, itertools.cycle(ERRORS)))
        return pairs + list(itertools.product(changing, ERRORS))
    few = [point for point in changing if not point.repeats]
    return list(zip(few[1 :: scenario.stride], itertools.cycle(ERRORS)))


@pytest.mark.parametrize(
    "scenario", SCENARIOS[:2] + SCENARIOS[2:6:3] + PACKAGES, ids=lambda one: one.name
)
def test_an_error_at_every_call(
    scenario, share, shares, scenario_lab, run, tmp_path, thorough, tally
):
    """Exit code 1, one message, the site exactly before; the next run works."""
    folder, log, lab = str(tmp_path), str(tmp_path / "log"), scenario_lab
    start = died(lab, scenario, folder + "/start", log)
    for point, error in chosen(lab, scenario, start, folder, thorough)[share::shares]:
        site = lab.copy(start, folder + "/site")
        command = typed(lab, scenario.command, site)
        ran = struck(command, point, "error=" + error, log)
        # How much is read of /proc differs from run to run.
        assert ran.struck or not point.changes, point
        check(lab, site, scenario, (point, error), ran)
        for command in (scenario.command, "revert"):
            assert run(command, "--site", site, *lab.options) == 0, (point, error, command)
            assert lab.state(site) == {"apply": "after", "revert": "before"}[command], point
        tally("error of a system call: %s: %s" % (error, scenario.name), int(ran.struck))


def only_lock(site):
    """Whether nothing but the lock file lies in .jhpatch."""
    return os.listdir(os.path.join(site, ".jhpatch")) == ["lock"]


def check(lab, site, scenario, point, ran):
    """What an error may come to: nothing done and said so, or done."""
    shown = (point, ran.code, ran.talk)
    assert "Traceback" not in ran.talk and "unexpected" not in ran.talk, shown
    assert ran.code in (0, 1), shown
    end = {"apply": "after", "revert": "before"}[scenario.command]
    if ran.code == 0:
        assert lab.state(site) == end, shown
        return
    assert ran.talk.count("jhpatch: ") == 1, shown
    assert not lab.torn(site), shown
    if scenario.died or any(text in ran.talk for text in MADE):
        return
    if point[0].call == "flock" and only_lock(site):
        return  # to take a lock file away that one could not lock would be the greater evil
    assert lab.state(site) == STARTS[scenario.start], shown
