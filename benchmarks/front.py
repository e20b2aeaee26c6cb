"""What the front costs users: saves through nginx against saves without it.

    bash tests/run -e e2e --notest
    .tox/e2e/bin/python -m benchmarks.front [--stack NAME] [--saves N] [--json]

As root, in the checkout. Two hubs of a stack of integration/e2e/stacks.py in a private world: one
with nginx in front, as ``jhpatch nginx render`` writes it, and one that does TLS itself, by
``c.JupyterHub.ssl_cert``. One user saves the same notebook through nginx (``nginx``), at the
same hub's own proxy without TLS (``plain``), and at the other hub (``tls``), in turns of which
each begins with another, so that noise hits all alike; ``again`` is ``plain`` once more: their
ratio is the noise. Connections are kept, as a browser keeps them.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import time
from typing import Any, Callable, Dict, List, Tuple

from benchmarks.private_world import chosen, enter, outside, wheel
from integration.e2e.client import Browser
from integration.e2e.front import NAMES, fronted, pair
from integration.e2e.hub import Hub, notebook, running
from integration.e2e.stacks import Stack
from integration.e2e.world import PASSWORDS

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
    names = list(savers)
    for turn in range(max(len(names), count // _BURST)):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            for _ in range(_BURST):
                began = time.perf_counter()
                savers[name](content)
                found[name].append((time.perf_counter() - began) * 1000)
    return {name: round(statistics.median(times), 2) for name, times in found.items()}


def inside(stack: Stack, saves: int) -> Dict[str, Any]:
    """The whole run, in new namespaces, which end with this process; what it found."""
    scratch = enter(stack)
    folder = scratch + "/front"
    with contextlib.ExitStack() as running_:
        hub = running_.enter_context(running(stack, scratch + "/hub", ""))
        scene = running_.enter_context(fronted(hub, folder))
        tls = with_tls(stack, scratch + "/tls", pair(folder, NAMES[0]))
        running_.callback(tls.stop)
        ways = {"nginx": scene.at(NAMES[0]), "plain": hub, "tls": tls, "again": hub}
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


def with_tls(stack: Stack, folder: str, files: Tuple[str, str]) -> Hub:
    """A hub that does TLS itself, as the name of that certificate."""
    os.mkdir(folder)
    hub = Hub(stack, folder, "c.JupyterHub.ssl_cert, c.JupyterHub.ssl_key = %r\n" % (files,))
    hub.url = hub.url.replace("http://127.0.0.1", "https://" + NAMES[0])
    hub.start()
    return hub


def table(found: Dict[str, Any]) -> str:
    """For a person: medians, and the ratios of those through nginx to those without."""
    lines = ["%s, %d saves" % (found["stack"], found["saves"])]
    head = ("save, ms", "plain", "tls", "nginx", "nginx/tls", "nginx/plain", "noise")
    lines += ["%-10s%10s%10s%10s%14s%14s%10s" % head]
    for title, row in found["save_ms"].items():
        ratios = [row["nginx"] / row["tls"], row["nginx"] / row["plain"]]
        ratios += [row["again"] / row["plain"]]
        cells = (title, row["plain"], row["tls"], row["nginx"], *ratios)
        lines += ["%-10s%10.2f%10.2f%10.2f%14.3f%14.3f%10.3f" % cells]
    return "\n".join(lines)


def main() -> int:
    """Prints a table or a document."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.front", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--stack", default="hub61-js221", help="default: %(default)s")
    parser.add_argument("--saves", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="a document in place of the table")
    options = parser.parse_args()
    stack = chosen(options.stack)
    if not wheel():
        return outside(stack, "benchmarks.front")
    found = inside(stack, options.saves)
    print(json.dumps(found, indent=2) if options.json else table(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
