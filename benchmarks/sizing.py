"""What one hub host carries: a patched hub and an unpatched one, with 1,000 or 5,000 users each.

    bash tests/run -e e2e --notest
    .tox/e2e/bin/python -m benchmarks.sizing --users 1000
    .tox/e2e/bin/python -m benchmarks.sizing --users 5000 --life 1200

As root, in the checkout. In one private world: a directory of files, a real KDC, PAM, both hubs
with their proxies. Users' servers are simulated (simulated_hub.py); keytabs are root's, so that
the hub renews every ticket. In this order:

- a morning of ten minutes, in which all users of a hub log in through its form, at a steady rate,
  and start a server; the hubs take turns of one minute. With ``--minutes 2``, its last two: the
  servers of the other users run already, by the hub's database, with tickets;
- a minute in which nothing happens;
- more users than that, ``--clients`` at a time, as fast as the hub lets them in;
- a restart of each hub, with all its servers;
- renewals, of tickets that are valid for ``--life`` seconds: the patched hub starts without any,
  as after a restart of the host, obtains all of them as fast as it can, and renews them.

The loop's lag is read every 10 ms within each hub, in both over the same time.
"""

import argparse
import json
import os
import sys
import time
from typing import Any, Callable, List

from benchmarks.crowd import TURN, Figures, Side, at_once, morning
from benchmarks.environments import changed, copied
from benchmarks.many_users import (
    SETTINGS,
    Caches,
    KdcLog,
    add_principals,
    add_users,
    names_of,
)
from benchmarks.private_world import chosen, enter, outside, say, wheel
from benchmarks.simulated_hub import SimulatedHub, Window, start_server, total
from benchmarks.sizing_table import table
from integration.e2e.stacks import Stack
from testing.kdc import Kdc

_VARIANTS = ("unpatched", "patched")
_MORNING = 10.0  # minutes
_MORE = 200  # users who log in as fast as they can
_KEEPER = 'jhpatch_kerberos_tickets_total{cause="keeper",result="%s"}'
_QUICK = dict(users=60, minutes=5.0, life=90.0)


def during(sides: List[Side], work: Callable[[], Any]) -> Figures:
    """Return the lag and the CPU share of both hubs while something is done."""
    began, before = time.monotonic(), [side.hub.cpu() for side in sides]
    work()
    window = Window(began, time.monotonic())
    seconds = window.end - window.begin
    return {
        side.variant: {
            "lag_ms": side.lag([window]),
            "cpu": round((side.hub.cpu() - cpu) / seconds, 4),
            "seconds": round(seconds, 1),
        }
        for side, cpu in zip(sides, before)
    }


def renewals(kdc: Kdc, sides: List[Side], caches: Caches, options: Any) -> Figures:
    """The patched hub without tickets, and two renewals of each; in the second, a restart."""
    patched, count, life = sides[-1].hub, len(sides[-1].names), options.life
    kdc.set_ticket_lifetime("%ds" % life)
    patched.hub.terminate(120)
    caches.clear()
    log = KdcLog(kdc)
    patched.start()
    began = time.monotonic()
    while total(patched.metrics(), _KEEPER % "got") < count:
        time.sleep(1)
    seconds = time.monotonic() - began
    found: Figures = {"first": _kdc_figures(log), "first_s": round(seconds, 1)}
    say("all tickets obtained after %.1f s" % seconds)
    _sleep_until(began + life / 2 - 2)
    log = KdcLog(kdc)
    limit = 0.2 * life + seconds + 10
    found["wave"] = during(sides, lambda: _wait_for_tickets(log, count, limit))
    found["wave_kdc"], found["valid"] = _kdc_figures(log), caches.valid()
    found["failed"] = total(patched.metrics(), _KEEPER % "failed")
    say("all tickets renewed")
    if options.waves < 2:
        return found
    _sleep_until(began + life - 2)
    log = KdcLog(kdc)
    _sleep_until(began + 1.1 * life)
    patched.restart(0)
    say("restarted amid the renewals")
    _wait_for_tickets(log, count, limit)
    found["restart_kdc"], found["valid_at_end"] = _kdc_figures(log), caches.valid()
    return found


def _sleep_until(end: float) -> None:
    time.sleep(max(end - time.monotonic(), 0))


def _wait_for_tickets(log: KdcLog, count: int, seconds: float) -> None:
    """Wait until the KDC has issued so many, if it does within that time."""
    end = time.monotonic() + seconds
    while sum(log.by_second("ISSUE")) < count and time.monotonic() < end:
        time.sleep(1)


def _kdc_figures(log: KdcLog) -> Figures:
    requests_, tickets = log.by_second(), log.by_second("ISSUE")
    return {
        "requests": sum(requests_),
        "most_requests_per_s": max(requests_, default=0),
        "tickets": sum(tickets),
        "most_tickets_per_s": max(tickets, default=0),
    }


def measured(kdc: Kdc, sides: List[Side], caches: Caches, options: Any) -> Figures:
    """Return the document of a run."""
    memory = [{side.variant: side.hub.memory() for side in sides}]
    found: Figures = {"users": options.users, "minutes": options.minutes, "life": options.life}
    there = round(options.users * max(1 - options.minutes / _MORNING, 0))
    if there:
        say("%d users are there" % there)
        caches.seed(there)
        for side in sides:
            side.hub.hub.terminate(120)
            side.hub.seed(side.names[:there])
            side.hub.start()
            side.hub.wait_for_servers(there)
    log = KdcLog(kdc)
    found["morning"] = morning(sides, there, options.minutes, say)
    found["morning_kdc"] = _kdc_figures(log)
    memory.append({side.variant: side.hub.memory() for side in sides})
    say("idle")
    found["idle"] = during(sides, lambda: time.sleep(TURN if options.users > 100 else 10))
    say("logins at once")
    found["at_once"] = {side.variant: at_once(side, options.clients) for side in sides}
    say("restarts")
    found["restart_s"] = {side.variant: side.hub.restart(options.users) for side in sides}
    memory.append({side.variant: side.hub.memory() for side in sides})
    found["memory_mib"] = dict(zip(("start", "morning", "restart"), memory))
    say("renewals")
    found["renewals"] = renewals(kdc, sides, caches, options)
    return found


def inside(stack: Stack, options: argparse.Namespace) -> Figures:
    """The whole run, in new namespaces, which end with this process; what it found."""
    scratch = enter(stack)
    names = {variant: names_of(variant, options.users + _MORE) for variant in _VARIANTS}
    everybody = [name for variant in _VARIANTS for name in names[variant]]
    add_users(everybody)
    server_port = start_server(stack.version("jupyterhub"))
    with Kdc(scratch + "/kdc") as kdc:
        say("adding %d principals" % len(names["patched"]))
        add_principals(kdc, names["patched"])
        with open(kdc.krb5_conf) as source, open("/etc/krb5.conf", "w") as target:
            target.write(source.read())
        sides = []
        for variant in _VARIANTS:
            say("starting a hub: " + variant)
            copy = copied(stack, variant)
            changed(copy, wheel())
            hub = SimulatedHub(copy, os.path.join(scratch, variant), SETTINGS, server_port)
            hub.start()
            own = names[variant]
            sides.append(Side(hub, own[: options.users], own[options.users :]))
        try:
            return measured(kdc, sides, Caches(everybody, names["patched"]), options)
        except BaseException:
            for side in sides:
                say("--- the log of %s\n%s" % (side.variant, side.hub.hub.tail()))
            raise


def parser() -> argparse.ArgumentParser:
    """The options."""
    found = argparse.ArgumentParser(
        prog="python -m benchmarks.sizing", description=__doc__.splitlines()[0]
    )
    add = found.add_argument
    add("--stack", default="hub61-js221", help="default: %(default)s")
    add("--users", type=int, default=1000, help="of each hub (default: %(default)s)")
    add(
        "--minutes",
        type=float,
        default=_MORNING,
        help="of the morning (default: all, %(default)s)",
    )
    add("--clients", type=int, default=16, help="who never pause (default: %(default)s)")
    add("--life", type=float, default=600.0, help="seconds (default: %(default)s)")
    add("--waves", type=int, default=2, help="renewals of each ticket: 1 or 2 (default: 2)")
    add("--quick", action="store_true", help="other defaults: three minutes, rough figures")
    add("--json", action="store_true", help="a document in place of the table")
    return found


def main() -> int:
    """Print a table or a document."""
    arguments = parser()
    options = arguments.parse_args()
    if options.quick:
        arguments.set_defaults(**_QUICK)
        options = arguments.parse_args()
    stack = chosen(options.stack)
    if not wheel():
        return outside(stack, "benchmarks.sizing")
    found = inside(stack, options)
    print(json.dumps(found, indent=2) if options.json else table(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
