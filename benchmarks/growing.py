"""How the cost grows: more files in a patch, more distributions in a site, more environments."""

import os
import shutil
import statistics
from typing import Any, Dict, List, Optional, Tuple

from benchmarks import change, installing, tools
from benchmarks.processes import Spent, clean_environment, spent

FILES = (1, 10, 100, 1000)
DISTRIBUTIONS = (10, 100, 500)
ENVIRONMENTS = (1, 10, 50)
_QUICK = 100
_TOOLS = ("jhpatch, inside", "jhpatch, outside", "venv-patcher 0.2.0", "git apply", "GNU patch")


def grown(folder: str, runs: int, quick: bool) -> List[Dict[str, Any]]:
    """A row for each tool and command; each run is of ``runs`` rounds, interleaved."""
    own = installing.own_wheels(os.path.join(folder, "wheels"))
    rows = _by_size("files", _upto(FILES, quick), folder, own, runs, _TOOLS)
    rows += _by_size("distributions", _upto(DISTRIBUTIONS, quick), folder, own, runs, _TOOLS[:1])
    return rows + [_environments(_upto(ENVIRONMENTS, quick), folder, own, runs)]


def _upto(sizes: Tuple[int, ...], quick: bool) -> List[int]:
    return [size for size in sizes if size <= _QUICK or not quick]


def _by_size(
    what: str, sizes: List[int], folder: str, own: str, runs: int, names: Tuple[str, ...]
) -> List[Dict[str, Any]]:
    by_size: Dict[int, List[tools.Bench]] = {}
    for size in sizes:
        above = os.path.join(folder, "%s-%d" % (what, size))
        files = what == "files"
        made = change.change(size, 60, 0) if files else change.change()
        by_size[size] = list(tools.benches(above, own, made, names, 0 if files else size))
    # All sizes in turn: a busy minute of the machine must not look like growth.
    environ = clean_environment(folder)
    tools.timed([one for found in by_size.values() for one in found], runs, environ)
    rows: Dict[Tuple[str, str], Dict[str, Any]] = {}
    for size, found in by_size.items():
        for figures in (one.row() for one in found):
            for step in tools.STEPS:
                key = figures["tool"], step
                row = rows.setdefault(key, _row(what, *key))
                row["cpu"][size] = figures[step] and figures[step]["cpu"]
                row["wall"][size] = figures[step] and figures[step]["median"]
                row["why"] = row["why"] or figures["why"]
        shutil.rmtree(os.path.join(folder, "%s-%d" % (what, size)))
    return [row for row in rows.values() if row["why"] or any(row["cpu"].values())]


def _row(what: str, tool: str, step: str) -> Dict[str, Any]:
    return {"by": what, "tool": tool, "step": step, "why": None, "cpu": {}, "wall": {}}


def _environments(sizes: List[int], folder: str, own: str, runs: int) -> Dict[str, Any]:
    """One ``status`` over copies of an environment in which the package is patched."""
    row = _row("environments", "jhpatch, inside", "status")
    environ = clean_environment(folder)
    above = os.path.join(folder, "environments")
    (one,) = tools.benches(above, own, change.change(), ("jhpatch, inside",))
    tool = one.tool
    assert tool is not None and tool.python is not None
    spent(tool.commands["apply"], tool.cwd, environ)
    first = os.path.dirname(os.path.dirname(tool.python))
    pythons = []
    for number in range(max(sizes)):
        copy = os.path.join(above, "copy-%d" % number)
        shutil.copytree(first, copy, symlinks=True)
        pythons.append(os.path.join(copy, "bin", "python"))
    took: Dict[int, List[Spent]] = {size: [] for size in sizes}
    for count in range(runs + 1):
        for size in sizes:
            argv = list(tool.commands["status"])
            for python in pythons[:size]:
                argv += ["--python", python]
            figures, code, said = spent(argv, tool.cwd, environ)
            if code or said.count("app/change") != size:
                row["why"] = "exit code %d: %s" % (code, said[-120:].strip())
            took[size] += [figures] * (count > 0)
    for size, several in took.items():
        row["cpu"][size] = statistics.median(figures.cpu for figures in several)
        row["wall"][size] = statistics.median(figures.wall for figures in several)
    return row


def slope(by_size: Dict[int, Optional[float]]) -> Optional[float]:
    """Milliseconds for each one more, between the smallest and the largest."""
    known = sorted((size, ms) for size, ms in by_size.items() if ms is not None)
    if len(known) < 2:
        return None
    (low, least), (high, most) = known[0], known[-1]
    return (most - least) / (high - low)


def bend(by_size: Dict[int, Optional[float]]) -> Optional[float]:
    """The slope of the last stretch by that of the one before: 1 is linear."""
    known = sorted((size, ms) for size, ms in by_size.items() if ms is not None)
    last, before = slope(dict(known[-2:])), slope(dict(known[-3:-1]))
    return last / before if len(known) > 2 and last and before and before > 0 else None


def table(rows: List[Dict[str, Any]]) -> str:
    """Cpu by size, the slope in ms for each one more, and whether it bends."""
    lines: List[str] = []
    for what in dict.fromkeys(row["by"] for row in rows):
        several = [row for row in rows if row["by"] == what]
        sizes = sorted(several[0]["cpu"])
        head = "%9d" * len(sizes) % tuple(sizes)
        lines += ["", "%-30s%s%10s%8s" % ("CPU, ms, by " + what, head, "slope", "ratio")]
        for row in several:
            name = "%s, %s" % (row["tool"], row["step"])
            if row["why"]:
                lines.append("%-30s  %s" % (name, row["why"]))
                continue
            cells = "".join("%9.1f" % (row["cpu"][size] or 0) for size in sizes)
            ends = "%10.3f%8.2f" % (slope(row["cpu"]) or 0, bend(row["cpu"]) or 0)
            lines.append("%-30s%s%s" % (name, cells, ends))
    return "\n".join(lines[1:])
