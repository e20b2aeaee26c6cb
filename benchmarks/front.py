"""What the front costs users: saves through nginx against saves without it.

    bash tests/run -e e2e --notest
    .tox/e2e/bin/python -m benchmarks.front [--stack NAME] [--saves N] [--json]

As root, in the checkout. One hub of a stack of tests/e2e/stacks.py in a private world, and in
front of it nginx with what ``jhpatch nginx render`` writes. One user saves the same notebook,
now through nginx (TLS), now at the hub's own proxy (``direct``), in turns that begin with
the other each time, so that noise hits both alike; ``again`` is ``direct`` once more, whose
ratio is the noise. Connections are kept, as a browser keeps them.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List

from benchmarks.hub import chosen
from tests.e2e import stacks, world
from tests.e2e.client import Browser
from tests.e2e.front import NAMES, fronted
from tests.e2e.hub import notebook, running
from tests.e2e.stacks import Stack
from tests.e2e.world import PASSWORDS

SIZES = {"2 kB": 2 << 10, "100 kB": 100 << 10, "1 MB": 1 << 20, "20 MB": 20 << 20}
_FEWER = 10  # times, of the largest
_BURST = 5  # saves in a turn


def sized(size: int) -> Dict[str, Any]:
    """A notebook of about so many bytes, in cells as notebooks have them."""
    content = notebook()
    cell = min(size, 10 << 10)
    source = "".join("line %06d of a cell of text\n" % n for n in range(cell // 27))
    one = dict(cell_type="markdown", metadata={}, source=source)
    content["cells"] = [one] * max(1, size // cell)
    return content


def measured(savers: Dict[str, Callable[[Any], None]], size: int, count: int) -> Dict[str, Any]:
    """Milliseconds of each save, by the way that it took."""
    content = sized(size)
    found: Dict[str, List[float]] = {name: [] for name in savers}
    for turn in range(max(2, count // _BURST)):
        order = list(savers) if turn % 2 else list(savers)[::-1]
        for name in order:
            for _ in range(_BURST):
                began = time.perf_counter()
                savers[name](content)
                found[name].append((time.perf_counter() - began) * 1000)
    return {name: round(statistics.median(times), 2) for name, times in found.items()}


def inside(stack: Stack, saves: int) -> Dict[str, Any]:
    """The whole run, in new namespaces, which end with this process; what it found."""
    python = os.path.dirname(os.path.dirname(str(stacks.interpreter(stack))))
    needed = [stacks.REPOSITORY, stacks.FOLDER, sys.prefix, sys.base_prefix, python]
    scratch = world.enter(needed, [])
    folder = scratch + "/front"
    with running(stack, scratch + "/hub", "") as hub, fronted(hub, folder) as scene:
        ways = {"nginx": scene.at(NAMES[0]), "direct": hub, "again": hub}
        savers = {}
        for name, address in ways.items():
            browser = Browser(address, "alice")
            browser.login(PASSWORDS["alice"])
            browser.spawn()
            savers[name] = lambda content, one=browser: one.save("saved.ipynb", content)
            savers[name](notebook())
        rows = {}
        for title, size in SIZES.items():
            rows[title] = measured(savers, size, saves // (_FEWER if size > 10 << 20 else 1))
        return {"schema": 1, "stack": stack.name, "saves": saves, "save_ms": rows}


def table(found: Dict[str, Any]) -> str:
    """For a person: medians, and their ratios to the saves without nginx."""
    lines = ["%s, %d saves" % (found["stack"], found["saves"])]
    lines += ["%-10s%12s%12s%18s%18s" % ("save, ms", "direct", "nginx", "nginx/direct", "noise")]
    for title, row in found["save_ms"].items():
        ratios = (row["nginx"] / row["direct"], row["again"] / row["direct"])
        lines += ["%-10s%12.2f%12.2f%18.3f%18.3f" % (title, row["direct"], row["nginx"], *ratios)]
    return "\n".join(lines)


def outside(stack: Stack) -> int:
    """Builds the stack, and runs this again in new namespaces, which end with this process."""
    lacking = world.missing_rights()
    if lacking:
        sys.exit("cannot start real hubs: " + lacking)
    with stacks.built(stack):
        argv = [sys.executable, "-m", "benchmarks.front", *sys.argv[1:], "--within"]
        return subprocess.run(
            ["setpriv", "--pdeathsig", "KILL"] + world.command(argv), cwd=stacks.REPOSITORY
        ).returncode


def main() -> int:
    """Prints a table or a document."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.front", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--stack", default="hub61-js221", help="default: %(default)s")
    parser.add_argument("--saves", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="a document in place of the table")
    parser.add_argument("--within", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    stack = chosen(options.stack)
    if not options.within:
        return outside(stack)
    found = inside(stack, options.saves)
    print(json.dumps(found, indent=2) if options.json else table(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
