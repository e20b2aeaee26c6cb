"""The tools that peers.py times: how each is had, what it is given, what it has to do."""

import os
import shutil
import statistics
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from benchmarks import change, installing
from benchmarks.installing import Missing
from benchmarks.processes import Spent, spent

STEPS = ("apply", "status", "revert")


class Tool(NamedTuple):
    """A tool that is set up, and the commands that it has of the three."""

    commands: Dict[str, List[str]]
    python: Optional[str]
    """The environment in which the package is installed; None for npm's."""
    cwd: str
    top: str
    """The folder that holds the package: its site, or node_modules."""


class Peer(NamedTuple):
    """A row of the table. ``kind``: ours, python, node, native or floor."""

    name: str
    kind: str
    make: Callable[["Place"], Tool]
    note: str = ""


class Place:
    """A folder of this run, for one tool."""

    def __init__(
        self, folder: str, made: change.Change, own: str, wheel: str, others: int = 0
    ) -> None:
        """``own``: wheels of jhpatch; ``others``: how many distributions more there shall be."""
        self.folder = folder
        self.made = made
        self.own = own
        self.wheel = wheel
        self.others = others
        os.makedirs(folder)

    def environment(self, *sources: str, name: str = "env") -> str:
        """The Python of an environment with wheels of folders."""
        return installing.environment(os.path.join(self.folder, name), *sources)

    def with_package(self, *sources: str) -> str:
        """The same, with the package that is to be changed."""
        python = self.environment(self.wheel, *sources)
        for number in range(self.others):
            info = os.path.join(installing.site_of(python), "other_%d-1.0.dist-info" % number)
            os.mkdir(info)
            with open(os.path.join(info, "METADATA"), "w") as file:
                file.write("Metadata-Version: 2.1\nName: other-%d\nVersion: 1.0\n\n" % number)
        return python


# The tools, each with its version: the one table to change for a newer one.


def _floor(place: Place) -> Tool:
    python = place.with_package()
    commands = {step: [python, "-I", "-c", "pass"] for step in STEPS[:1]}
    return Tool(commands, python, place.folder, installing.site_of(python))


def _jhpatch(place: Place) -> Tool:
    python = place.with_package(place.own)
    return _of_jhpatch(place, python, python, [])


def _jhpatch_from_outside(place: Place) -> Tool:
    python = place.with_package()
    return _of_jhpatch(
        place, place.environment(place.own, name="own"), python, ["--python", python]
    )


def _of_jhpatch(place: Place, runs: str, python: str, options: List[str]) -> Tool:
    words = [*options, "--patches", change.tree(place.folder, place.made)]
    commands = {step: [runs, "-I", "-m", "jhpatch", step, *words] for step in STEPS}
    return Tool(commands, python, place.folder, installing.site_of(python))


def _venv_patcher(place: Place) -> Tool:
    python = place.with_package(installing.wheels("venv-patcher", "0.2.0"))
    installing.program("git")
    script = [python, "-I", os.path.join(os.path.dirname(python), "venv-patcher")]
    file = change.mail(place.folder, place.made)
    commands = {
        "apply": [*script, "apply", "-f", file],
        "status": [*script, "list"],
        "revert": [*script, "reset"],
    }
    return Tool(commands, python, place.folder, installing.site_of(python))


def _patch_package(place: Place) -> Tool:
    python = place.with_package(installing.wheels("patch-package", "0.1.4"))
    folder = change.named(place.folder, place.made, "==", ("", ""))
    script = os.path.join(os.path.dirname(python), "patch-package")
    return Tool({"apply": [python, "-I", script]}, python, folder, installing.site_of(python))


def _p12y(place: Place) -> Tool:
    installing.program("patch")
    runs = place.environment(installing.wheels("patch-package-py", "0.2.1"), name="own")
    python = place.with_package()
    folder = change.named(place.folder, place.made, "+", ("a/", "b/"))
    script = os.path.join(os.path.dirname(runs), "p12y")
    words = ["apply", "-e", os.path.dirname(os.path.dirname(python))]
    return Tool(
        {"apply": [runs, "-I", script, *words]}, python, folder, installing.site_of(python)
    )


def _pypatch(place: Place) -> Tool:
    python = place.with_package(installing.wheels("pypatch", "1.0.2"))
    script = os.path.join(os.path.dirname(python), "pypatch")
    words = ["apply", change.inner(place.folder, place.made), change.NAME]
    commands = {"apply": [python, "-I", script, *words]}
    return Tool(commands, python, place.folder, installing.site_of(python))


def _npm_patch_package(place: Place) -> Tool:
    script = os.path.join(installing.package("patch-package", "8.0.1"), "index.js")
    folder = change.node(place.folder, place.made)
    words = [installing.program("node"), script]
    commands = {"apply": words, "revert": [*words, "--reverse"]}
    return Tool(commands, None, folder, os.path.join(folder, "node_modules"))


def _socket_patch(place: Place) -> Tool:
    python = place.environment(installing.wheels("socket-patch", "4.0.0"), name="own")
    program = os.path.join(installing.site_of(python), "socket_patch", "bin", "socket-patch")
    if not os.path.isfile(program):
        raise Missing("its wheel for this machine has no program")
    os.chmod(program, 0o755)  # as its own launcher does
    return _of_socket_patch(place, [program])


def _socket_patch_launched(place: Place) -> Tool:
    python = place.environment(installing.wheels("socket-patch", "4.0.0"), name="own")
    return _of_socket_patch(
        place, [python, "-I", os.path.join(os.path.dirname(python), "socket-patch")]
    )


def _of_socket_patch(place: Place, program: List[str]) -> Tool:
    folder = change.blobs(place.folder, place.made)
    python = installing.environment(os.path.join(folder, ".venv"), place.wheel)
    words = ["--offline", "--no-telemetry", "--ecosystems", "pypi"]
    commands = {
        "apply": [*program, "apply", *words],
        "status": [*program, "apply", "--dry-run", *words],
        "revert": [*program, "rollback", *words],
    }
    return Tool(commands, python, folder, installing.site_of(python))


def _gnu_patch(place: Place) -> Tool:
    python = place.with_package()
    site = installing.site_of(python)
    words = [installing.program("patch"), "-p1", "-s", "-f", "-i"]
    words.append(change.plain(place.folder, place.made))
    back = [*words, "-R"]
    commands = {"apply": words, "status": [*back, "--dry-run"], "revert": back}
    return Tool(commands, python, site, site)


def _git_apply(place: Place) -> Tool:
    python = place.with_package()
    site = installing.site_of(python)
    words, file = [installing.program("git"), "apply"], change.plain(place.folder, place.made)
    commands = {
        "apply": [*words, file],
        "status": [*words, "-R", "--check", file],
        "revert": [*words, "-R", file],
    }
    return Tool(commands, python, site, site)


PEERS = (
    Peer("python -c pass", "floor", _floor),
    Peer("jhpatch, inside", "ours", _jhpatch, "in the environment that it patches"),
    Peer("jhpatch, outside", "ours", _jhpatch_from_outside, "--python, from another environment"),
    Peer("GNU patch", "native", _gnu_patch, "status: --dry-run -R"),
    Peer("git apply", "native", _git_apply, "status: --check -R"),
    Peer(
        "socket-patch 4.0.0",
        "native",
        _socket_patch,
        "its Rust program by itself; status: apply --dry-run",
    ),
    Peer(
        "socket-patch, pip script",
        "native",
        _socket_patch_launched,
        "the same by the command that pip installs",
    ),
    Peer("patch-package 0.1.4", "python", _patch_package, "of PyPI; has no way back"),
    Peer("p12y 0.2.1", "python", _p12y, "the command of patch-package-py; has no way back"),
    Peer("pypatch 1.0.2", "python", _pypatch, "has no way back"),
    Peer(
        "venv-patcher 0.2.0", "python", _venv_patcher, "git am; status: list, which reads no file"
    ),
    Peer("patch-package 8.0.1", "node", _npm_patch_package, "of npm"),
)


# One run.


class Bench:
    """A tool in its folder, and what it took so far."""

    def __init__(self, peer: Peer, place: Place) -> None:
        self.peer = peer
        self.place = place
        self.why: Optional[str] = None
        self.took: Dict[str, List[Spent]] = {step: [] for step in STEPS}
        try:
            self.tool: Optional[Tool] = peer.make(place)
            self._keep()
        except Missing as missing:
            self.tool, self.why = None, str(missing)

    def _keep(self) -> None:
        assert self.tool is not None
        self._names = set(os.listdir(self.tool.top))
        self._kept = os.path.join(self.place.folder, "kept")
        for name in self._ours():
            shutil.copytree(os.path.join(self.tool.top, name), os.path.join(self._kept, name))

    def _ours(self) -> List[str]:
        return sorted(name for name in self._names if name.split("-")[0] == change.NAME)

    def reset(self) -> None:
        """Everything as it was installed, times of files and .pyc included."""
        assert self.tool is not None
        for name in set(os.listdir(self.tool.top)) - self._names | set(self._ours()):
            path = os.path.join(self.tool.top, name)
            (shutil.rmtree if os.path.isdir(path) else os.unlink)(path)
        for name in self._ours():
            shutil.copytree(os.path.join(self._kept, name), os.path.join(self.tool.top, name))

    def round(self, counts: bool, environ: Dict[str, str]) -> None:
        """Each command that the tool has, in turn; a tool that fails takes no further part."""
        if self.tool is None or self.why:
            return
        for step in STEPS:
            if step not in self.tool.commands:
                continue
            took, code, said = spent(self.tool.commands[step], self.tool.cwd, environ)
            self.why = self._wrong(step, code, said)
            if self.why:
                return
            self.took[step] += [took] * counts
        self.reset()

    def _wrong(self, step: str, code: int, said: str) -> Optional[str]:
        """Why a command has not done what it is timed for; None where it has."""
        lines = said.strip().splitlines() or ["it says nothing"]
        if code:
            return "%s: exit code %d: %s" % (step, code, lines[-1][:120])
        if self.peer.kind == "floor":
            return None
        assert self.tool is not None
        expected = self.place.made.before if step == "revert" else self.place.made.after
        for path, data in expected.items():
            with open(os.path.join(self.tool.top, path), "rb") as file:
                if file.read() != data:
                    return "%s: exit code 0, and %s has other bytes: %s" % (
                        *(step, path),
                        lines[-1][:80],
                    )
        return None

    def row(self) -> Dict[str, Any]:
        """The figures, for JSON."""
        figures = {step: _figures(rows) for step, rows in self.took.items() if rows}
        peer = self.peer
        return {
            **{"tool": peer.name, "kind": peer.kind, "note": peer.note, "why": self.why},
            **{step: figures.get(step) if not self.why else None for step in STEPS},
        }


def _figures(rows: List[Spent]) -> Dict[str, float]:
    wall, cpu = zip(*rows)
    return {
        "median": round(statistics.median(wall), 2),
        "least": round(min(wall), 2),
        "cpu": round(statistics.median(cpu), 2),
    }


def benches(
    folder: str,
    own: str,
    made: change.Change,
    names: Optional[Tuple[str, ...]] = None,
    others: int = 0,
) -> Iterator[Bench]:
    """The tools (those that are named), each set up in a folder of its own below ``folder``."""
    wheel = os.path.dirname(made.wheel(os.path.join(folder, "package")))
    for number, peer in enumerate(PEERS):
        if names is None or peer.name in names:
            place = Place(os.path.join(folder, "tool-%d" % number), made, own, wheel, others)
            yield Bench(peer, place)


def timed(found: List[Bench], runs: int, environ: Dict[str, str]) -> None:
    """All tools, interleaved; a first round does not count."""
    for count in range(runs + 1):
        for one in found:
            one.round(count > 0, environ)
