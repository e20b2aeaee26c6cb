"""What patching costs with jhpatch and with its peers: ``python -m benchmarks.peers``.

The same change of two files in an installed package, made, looked at and taken back by each
tool: whole processes, interleaved in one run, all on the same Python. After each of them the
two files are compared byte for byte, and before each round everything is as it was installed;
neither is timed. The peers come from PyPI and npm, pinned below, and are kept in
``.tox/peers``; one that cannot be had here, or does not do it, is a row that says why.

``--growth`` has more files, distributions and environments, ``--profile`` where the time goes.
Every figure is in milliseconds; cpu counts a process and its children.
"""

import argparse
import json
import os
import platform
import signal
import tempfile
from typing import Any, Dict, List, Optional, Tuple

from benchmarks import change, growing, installing, profiling, tools
from benchmarks.installing import Missing
from benchmarks.processes import clean_environment
from benchmarks.tools import STEPS


def compared(folder: str, runs: int) -> List[Dict[str, Any]]:
    """A row for each tool."""
    own = installing.own_wheels(os.path.join(folder, "wheels"))
    found = list(tools.benches(folder, own, change.change()))
    tools.timed(found, runs, clean_environment(folder))
    return [one.row() for one in found]


# For a person.


def table(rows: List[Dict[str, Any]]) -> str:
    """Median, minimum and CPU of each command, and why there are none."""
    lines = ["%-24s%24s%24s%24s" % ("ms: median/minimum/CPU", *STEPS)]
    for row in rows:
        if row["why"]:
            lines.append("%-24s  %s" % (row["tool"], row["why"]))
            continue
        lines.append("%-24s%24s%24s%24s" % (row["tool"], *(_cell(row[step]) for step in STEPS)))
    lines += [""] + ["%s: %s" % (row["tool"], row["note"]) for row in rows if row["note"]]
    return "\n".join(line.rstrip() for line in lines)


def _cell(figures: Optional[Dict[str, float]]) -> str:
    return "%7.1f /%6.1f /%6.1f" % tuple(figures.values()) if figures else ""


def targets(rows: List[Dict[str, Any]]) -> List[Tuple[str, bool]]:
    """What we want to be true, and whether it is in this run."""
    by_name = {row["tool"]: row for row in rows}
    floor = by_name["python -c pass"]["apply"]
    others = [row for row in rows if row["kind"] in ("python", "node")]
    found: List[Tuple[str, bool]] = []
    for row in (row for row in rows if row["kind"] == "ours" and floor and not row["why"]):
        for step in STEPS:
            mine, most = row[step], 80 if step == "apply" else 40
            over = mine["cpu"] - floor["cpu"]
            text = "%s %s: %.1f ms cpu over python -c pass, at most %d"
            found.append((text % (row["tool"], step, over, most), over <= most))
            theirs = [(other[step][key], other["tool"], key) for other in others if other[step]
                      for key in ("median", "cpu")]  # fmt: skip
            quicker = [one for one in theirs if one[0] <= mine[one[2]]]
            text = "%s %s: quicker than every Python and Node peer" % (row["tool"], step)
            words = ", ".join("%s %.1f (%s)" % (name, ms, key) for ms, name, key in quicker)
            found.append((text + (", but not than " + words if words else ""), not quicker))
    return found


def main() -> None:
    """Measures, and prints one table or one JSON document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, metavar="N", help="default: 15; of --growth 5")
    parser.add_argument("--quick", action="store_true", help="3 runs; --growth up to 100")
    parser.add_argument("--json", action="store_true", help="one document on standard output")
    parser.add_argument("--growth", action="store_true", help="more files, distributions, places")
    parser.add_argument("--profile", action="store_true", help="imports, functions, system calls")
    words = "where the environments are made (default: /var/tmp, a disk)"
    parser.add_argument("--folder", metavar="DIR", default="/var/tmp", help=words)
    arguments = parser.parse_args()
    if arguments.runs is not None and arguments.runs < 1:
        parser.error("--runs: at least 1")
    runs = arguments.runs or (3 if arguments.quick else 5 if arguments.growth else 15)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    machine = "Python %s, %d processors, load %.1f" % (
        *(platform.python_version(), os.cpu_count() or 0),
        os.getloadavg()[0],
    )
    found: Dict[str, Any] = {"machine": machine, "runs": runs}
    try:
        with tempfile.TemporaryDirectory(prefix="jhpatch-peers-", dir=arguments.folder) as folder:
            if arguments.profile:
                found["profile"] = profiling.profiled(folder)
                text = profiling.table(found["profile"])
            elif arguments.growth:
                found["growth"] = growing.grown(folder, runs, arguments.quick)
                text = growing.table(found["growth"])
            else:
                found["tools"] = compared(folder, runs)
                held = targets(found["tools"])
                found["targets"] = [{"target": words, "holds": yes} for words, yes in held]
                marks = ["%s  %s" % ("holds" if yes else "FAILS", words) for words, yes in held]
                text = "\n".join([table(found["tools"]), "", *marks])
    except (KeyboardInterrupt, Missing) as error:
        raise SystemExit(str(error) or "interrupted")
    print(json.dumps(found, indent=1) if arguments.json else "%s\n\n%s" % (machine, text))


if __name__ == "__main__":
    main()
