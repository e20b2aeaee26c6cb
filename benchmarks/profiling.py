"""Where jhpatch's own time goes: imports, functions, system calls."""

import collections
import os
import re
import shutil
from typing import Any, Dict, Iterable, List, Tuple

from benchmarks import change, installing, tools
from benchmarks.processes import clean_environment, spent

_IMPORT = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s*(\S+)$", re.M)
_FUNCTION = re.compile(r"^\s+(\S+)\s+(\d\.\d+)\s+\S+\s+(\d+\.\d+)\s+\S+\s+(.+)$", re.M)
_CALL = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", re.M)
_MOST = 12
_ROUNDS = 7


def profiled(folder: str) -> List[Dict[str, Any]]:
    """``apply``, ``status`` and ``revert`` of two files in one's own environment, three ways.

    Of each figure the least of some rounds. An instrumented run is slower than a plain one:
    what counts is what takes how much of it.
    """
    own = installing.own_wheels(os.path.join(folder, "wheels"))
    environ = clean_environment(folder)
    (one,) = tools.benches(
        os.path.join(folder, "tools"), own, change.change(), ("jhpatch, inside",)
    )
    assert one.tool is not None
    tool = one.tool
    one.round(False, environ)  # to have it all in memory
    said: Dict[str, Dict[str, List[str]]] = {step: {"-X": [], "-m": []} for step in tools.STEPS}
    for _ in range(_ROUNDS):
        for option, words in (("-X", ["importtime"]), ("-m", ["cProfile", "-s", "tottime"])):
            for step in tools.STEPS:
                argv = [tool.commands[step][0], "-I", option, *words, *tool.commands[step][2:]]
                said[step][option].append(spent(argv, tool.cwd, environ)[2])
            one.reset()
    return [
        {
            "command": step,
            "imports": _imports(said[step]["-X"]),
            "functions": _functions(said[step]["-m"]),
            "calls": _calls(tool.commands[step], tool.cwd, environ),
        }
        for step in tools.STEPS
    ]


def _imports(rounds: List[str]) -> List[Tuple[str, float]]:
    rows = _least(
        {name: int(own) / 1000 for own, name in _IMPORT.findall(said)} for said in rounds
    )
    ours = sum(ms for name, ms in rows.items() if name.startswith("jhpatch"))
    totals = [("all %d" % len(rows), sum(rows.values())), ("of jhpatch", ours)]
    return totals + sorted(rows.items(), key=lambda row: -row[1])[:_MOST]


def _functions(rounds: List[str]) -> List[Tuple[str, float]]:
    rows = _least(
        {
            "%s (%s)" % (where.strip(), calls): float(own) * 1000
            for calls, own, _, where in _FUNCTION.findall(said)
        }
        for said in rounds
    )
    return sorted(rows.items(), key=lambda row: -row[1])[:_MOST]


def _least(rounds: Iterable[Dict[str, float]]) -> Dict[str, float]:
    """The least of each that all rounds have."""
    several = list(rounds)
    names = set(several[0]).intersection(*several[1:])
    return {name: min(one[name] for one in several) for name in names}


def _calls(argv: List[str], cwd: str, environ: Dict[str, str]) -> List[Tuple[str, float]]:
    """How many system calls, children's included."""
    if shutil.which("strace") is None:
        return [("no strace on this machine", 0)]
    out = os.path.join(environ["HOME"], "strace")
    spent(["strace", "-f", "-c", "-o", out, *argv], cwd, environ)
    with open(out) as file:
        counts = collections.Counter({name: int(n) for n, name in _CALL.findall(file.read())})
    total = counts.pop("total", sum(counts.values()))
    rows = [(name, float(counts[name])) for name in ("fsync", "execve")]
    return [("all", float(total)), *rows, *(pair for pair in counts.most_common(_MOST))]


def table(found: List[Dict[str, Any]]) -> str:
    """Three lists a command."""
    lines: List[str] = []
    for one in found:
        for look, unit in (("imports", "ms"), ("functions", "ms"), ("calls", "times")):
            lines += ["", "%s: %s (%s)" % (one["command"], look, unit)]
            lines += ["  %8.1f  %s" % (number, name) for name, number in one[look]]
    return "\n".join(lines[1:])
