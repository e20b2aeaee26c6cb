"""Months of a gateway in an hour: whatever goes wrong there, everyone has a ticket."""

import os
import shutil
import time
from typing import Any

from integration.e2e import stacks
from integration.soak import log_lines, verdict, week
from integration.soak.events import SetUp
from integration.soak.gateway import LIFE, ONE_RETRY, Gateway


def test_a_week(gateway: Gateway, seed: int, pytestconfig: Any) -> None:
    """No second without a valid ticket or a known reason, no line of the log that is not known,
    no growth, and no user affected by another."""
    option = pytestconfig.option
    planned = week.plan(seed, option.days, gateway.users, option.only)
    print("\nto repeat: --seed %d --days %d --users %d" % (seed, option.days, len(gateway.users)))
    print("\n".join(map(str, planned)))
    gateway.observe()
    start = SetUp()
    start.began = start.ended = time.monotonic()
    week.play(gateway, planned)
    time.sleep(LIFE + ONE_RETRY)  # a day on which nothing happens
    gateway.stop_observing()
    seen, events = verdict.read(gateway.samples), [one.event for one in planned]
    _keep(gateway, seed)
    counted, missing = verdict.without_ticket(seen, verdict.excuses(gateway, events, seen))
    print(verdict.report(gateway, events, seen, counted))
    faults = {
        "events that failed": ["%s: %s" % (one, one.error) for one in events if one.error],
        "no ticket, and no reason": missing,
        "lines that are not known": log_lines.unexplained(
            gateway.log.lines + gateway.front_log.lines, [start, *events]
        ),
        "pages of the hub": verdict.slow_pages(seen, events),
        "saves that failed": verdict.failed_visits(gateway, events),
        "saves that are slower": verdict.slower_saves(
            verdict.saves(gateway, "real-"), verdict.saves(gateway, "plain-")
        ),
        "stale files": verdict.stale_files(seen),
        "processes that grew": [str(one) for one in verdict.growth(seen) if one.is_leak()],
    }
    for what, found in faults.items():
        print("%s: %d\n%s" % (what, len(found), "\n".join(found[:200])))
    assert not any(faults.values())


def _keep(gateway: Gateway, seed: int) -> None:
    """Copy what was seen to where it is after the world has ended."""
    folder = os.path.join(stacks.FOLDER, "soak-seen", str(seed))
    os.makedirs(folder, exist_ok=True)
    for path in (gateway.samples, gateway.kdc.log):
        shutil.copy(path, folder)
    with open(os.path.join(folder, "lines.log"), "w") as file:
        for line in gateway.log.lines + gateway.front_log.lines:
            file.write("%.1f %s\n" % line)
