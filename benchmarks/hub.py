"""What patched servers cost users: real hubs, unpatched, patched, and with the naive recipe.

    bash tests/run -e e2e --notest
    .tox/e2e/bin/python -m benchmarks.hub [--quick] [--stack NAME] [--json]

As root, in the checkout. Starts four hubs of one stack of integration/e2e/stacks.py, each with
its own users, in one private world: ``unpatched``; ``control``, the same again, whose ratio
is the noise; ``naive``, with the recipe of naive.py; ``patched`` by ``jhpatch apply``. They
take turns, so that noise hits all alike, with a KDC that answers at once, one whose every
answer takes 600 ms (a kinit needs two) and one that never answers.

A round is: saves of a notebook, ten a turn, while another client of the same user asks for
``api/`` every 20 ms; single logins, of users without a ticket and of one who has one; then
logins of many users at once, without tickets. Times are those that a client sees. Whoever
has spent ``--seconds`` on one of these has no further turn in that round. The slow KDC
has half the rounds and the silent one a quarter; there, many users log in once, at the very
end, as the naive hub is busy with that for minutes. AS-REQ are counted at the relay, those
that are sent again included.

Ctrl-C at any time: the namespaces end, with all that runs in them.
"""

import argparse
import contextlib
import itertools
import json
import math
import os
import re
import sys
from typing import Any, Callable, Dict, Iterator, List

from benchmarks.environments import (
    ASKING,
    VARIANTS,
    add_keytabs,
    add_users,
    changed,
    copied,
    users_of,
)
from benchmarks.private_world import chosen, enter, outside, say, wheel
from benchmarks.relay import Relay
from benchmarks.subject import MODES, Mode, Subject
from benchmarks.tables import table
from integration.e2e.stacks import Stack
from testing.kdc import Kdc

_TURN = 10  # saves
_QUICK = dict(rounds=2, saves=40, logins=3, users=6, seconds=2.0, patience=10.0)


def measure(subjects: List[Subject], mode: Mode, options: argparse.Namespace) -> None:
    """All rounds with one KDC; each round begins with another variant."""
    rounds = math.ceil(options.rounds / mode.fewer)

    def save(one: Subject) -> float:
        return one.saves(mode, min(_TURN, options.saves), options.seconds)

    for number in range(rounds):
        say("%s: round %d of %d" % (mode.title, number + 1, rounds))
        first = number % len(subjects)
        order = subjects[first:] + subjects[:first]
        in_turn(order, save, math.ceil(options.saves / _TURN), options.seconds)
        in_turn(order, lambda one: one.login(mode), options.logins, options.seconds)
        in_turn(order, lambda one: one.login_again(mode), options.logins, options.seconds)
        if mode.delay is not None or number + 1 == rounds:
            for one in order:
                one.burst(mode, options.patience)


def in_turn(
    order: List[Subject], action: Callable[[Subject], float], turns: int, seconds: float
) -> None:
    """Round robin; ``action`` gives milliseconds, of which each subject has so many."""
    left = dict.fromkeys(order, seconds * 1000)
    for _ in range(turns):
        for one in order:
            if left[one] > 0:
                left[one] -= action(one)


@contextlib.contextmanager
def relayed(folder: str, users: Dict[str, List[str]]) -> Iterator[Relay]:
    """A KDC that knows the users of the variants that ask it, behind a relay."""
    with Kdc(folder) as kdc:
        for variant in ASKING:
            add_keytabs(kdc, users[variant])
        with open(kdc.krb5_conf) as file:
            text = file.read()
        host, port = re.search(r"kdc = ([0-9.]+):([0-9]+)", text).groups()
        relay = Relay((host, int(port)), itertools.chain(*users.values()))
        with open("/etc/krb5.conf", "w") as file:
            file.write(text.replace("%s:%s" % (host, port), "%s:%d" % (host, relay.port)))
        yield relay


def inside(stack: Stack, options: argparse.Namespace) -> Dict[str, Any]:
    """The whole run, in new namespaces, which end with this process; what it found."""
    scratch = enter(stack)
    users = {variant: users_of(variant, options.users) for variant in VARIANTS}
    say("adding users")
    add_users(list(itertools.chain(*users.values())))
    with relayed(scratch + "/kdc", users) as relay:
        subjects = []
        for variant in VARIANTS:
            say("starting a hub: " + variant)
            copy = copied(stack, variant)
            changed(copy, wheel())
            subjects.append(Subject(copy, os.path.join(scratch, variant), users[variant]))
        try:
            return measured(stack, subjects, relay, users, options)
        except BaseException:
            for one in subjects:
                say("--- the log of %s\n%s" % (one.variant, one.hub.tail()))
            raise


def measured(
    stack: Stack,
    subjects: List[Subject],
    relay: Relay,
    users: Dict[str, List[str]],
    options: argparse.Namespace,
) -> Dict[str, Any]:
    """The document of a run over hubs that are there."""
    for one in subjects:
        one.warm_up()
        one.check()
    memory = {}
    for mode in MODES:
        relay.delay = mode.delay
        relay.requests.clear()
        measure(subjects, mode, options)
        for one in subjects:
            asked = {name: relay.requests[name] for name in users[one.variant]}
            one.figures[mode.name].requests = asked
        memory = memory or {one.variant: one.memory() for one in subjects}
    return {
        "schema": 1,
        "stack": stack.name,
        "versions": {name: stack.version(name) for name in ("jupyterhub", stack.servers[0])},
        "options": {name: getattr(options, name) for name in ("rounds", "saves", "users")},
        "kdc": {
            mode.name: {one.variant: one.figures[mode.name].document() for one in subjects}
            for mode in MODES
        },
        "memory": memory,
    }


def parser() -> argparse.ArgumentParser:
    """The options."""
    found = argparse.ArgumentParser(
        prog="python -m benchmarks.hub", description=__doc__.splitlines()[0]
    )
    found.add_argument("--stack", default="hub09-nb57", help="default: %(default)s")
    found.add_argument("--rounds", type=int, default=8, help="default: %(default)s")
    found.add_argument("--saves", type=int, default=50, help="a round (default: %(default)s)")
    found.add_argument("--logins", type=int, default=5, help="a round (default: %(default)s)")
    found.add_argument("--users", type=int, default=20, help="at once (default: %(default)s)")
    found.add_argument(
        "--seconds",
        type=float,
        default=10.0,
        help="for each variant, of saves and of logins in a round (default: %(default)s)",
    )
    found.add_argument(
        "--patience",
        type=float,
        default=60.0,
        help="seconds, then users who log in at once give up (default: %(default)s)",
    )
    found.add_argument(
        "--quick", action="store_true", help="other defaults: two or three minutes, rough figures"
    )
    found.add_argument("--json", action="store_true", help="a document in place of the table")
    return found


def main() -> int:
    """Prints a table or a document."""
    arguments = parser()
    options = arguments.parse_args()
    if options.quick:
        arguments.set_defaults(**_QUICK)
        options = arguments.parse_args()
    stack = chosen(options.stack)
    if not wheel():
        return outside(stack, "benchmarks.hub")
    found = inside(stack, options)
    print(json.dumps(found, indent=2) if options.json else table(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
