"""Power cuts: whatever the disk had of a run's writes by then, the next run makes it whole.

The operations are those of the real command, recorded by strace. After each of them the
power goes, and every disk that POSIX allows then (disk.py) is made, looked at and recovered.
"""

import itertools
import json
import os
import random
import re
import shutil
import tempfile
from typing import Any, Callable, List, NamedTuple, Optional, Set, Tuple

import pytest

from integration.faults.disk import Disk, Op, Tree, read, write
from integration.faults.recording import recorded
from jhpatch.transaction.journal import parse
from jhpatch.transaction.transaction import locked
from testing import package_patches

UMASK = 0o077  # a mode that is right only by the umask would be wrong
SEED = 20230601
END = {"apply": "after", "revert": "before"}
WAYS = ((), ("apply", "revert"), ("revert",))  # the lock alone, or commands
RECORD = "notebook-6.5.7.dist-info/RECORD"
ORIGINAL = re.compile(r"\.jhpatch/originals/[0-9a-f]{64}$")

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")


class World(NamedTuple):
    """A site before and after, what makes the one into the other, and a place to work."""

    pip: Tree
    applied: Tree
    apply: List[Op]
    revert: List[Op]
    folder: str
    memory: str
    jhpatch: Callable[..., Any]
    options: Tuple[str, ...] = ()
    """More options of each command."""
    older: Optional[Tree] = None
    """With an older version of the patches, where apply starts with that."""

    def start(self, command: str) -> Tree:
        """The site that a command changes."""
        return {"apply": self.older or self.pip, "revert": self.applied}[command]

    def ops(self, command: str) -> List[Op]:
        """What a command asks of the disk on that site."""
        return {"apply": self.apply, "revert": self.revert}[command]

    def record(self, command: str, start: Tree) -> List[Op]:
        """What the command asks of a disk that looks like ``start``."""
        site = write(start, os.path.join(self.folder, "site"))
        log = os.path.join(self.folder, "log")
        return recorded(command, site, log, UMASK, *self.options)

    def outcome(self, tree: Tree) -> str:
        """``before`` or ``after``, exactly, and nothing half done; anything else fails."""
        if not differences(tree, self.pip):
            return "before"
        if self.older and not self._wrong(tree, self.older):
            return "older"
        wrong = self._wrong(tree, self.applied)
        assert not wrong, sorted(wrong)
        return "after"

    def _wrong(self, tree: Tree, whole: Tree) -> Set[str]:
        """What differs, but an original too many: a cut right after the change leaves it, and
        the next run prunes it."""
        wrong = differences(tree, whole)
        return wrong - {path for path in wrong - set(whole) if ORIGINAL.match(path)}


def differences(one: Tree, other: Tree) -> Set[str]:
    """Paths that are not the same in both; the bytes of state tell the time."""
    return {
        path
        for path in set(one) | set(other)
        if one.get(path) != other.get(path)
        and not (path == ".jhpatch/state.json" and path in one and path in other)
    }


def outside(tree: Tree) -> Tree:
    """The site without what jhpatch keeps for itself."""
    return {path: node for path, node in tree.items() if path.split("/")[0] != ".jhpatch"}


@pytest.fixture
def memory():
    """A folder for thousands of small sites, in memory where the machine has such."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="jhpatch-power-", dir=base) as folder:
        yield folder


@pytest.fixture(params=["notebook", "a package", "in place of an older helper"])
def world(request, tmp_path, make_site, memory, jhpatch):
    """Two patches that share what they add, and one RECORD.

    Those of notebook 6.5.7, with only the folders that they touch; patches that add a
    package; and these where an older version of them has added a file.
    """
    older = None
    if request.param == "notebook":
        pip = small(read(make_site(tmp_path, [("notebook", "6.5.7")], slim=True).site))
        bare = World(pip, {}, [], [], str(tmp_path), memory, jhpatch)
    else:
        app = package_patches.small(str(tmp_path / "app"))
        pip, options = read(app.site), ("--patches", app.patches)
        if request.param != "a package":
            app.patch(package_patches.ONE_FILE)
            assert jhpatch(None, "apply", "--site", app.site, *options).code == 0
            older = read(app.site)
        app.patch(package_patches.FILES)
        bare = World(pip, {}, [], [], str(tmp_path), memory, jhpatch, options, older)
    apply = bare.record("apply", bare.start("apply"))
    applied = read(os.path.join(bare.folder, "site"))
    revert = bare.record("revert", applied)
    return bare._replace(applied=applied, apply=apply, revert=revert)


def small(pip):
    """A site without the folders and the rows of RECORD that only cost time, a thousandfold."""
    touched = ("notebook", "notebook/notebook", "notebook/services/contents")
    kept = touched + ("notebook/services", os.path.dirname(RECORD))
    tree = {
        path: node
        for path, node in pip.items()
        if path in kept or (node.data is not None and os.path.dirname(path) in kept)
    }
    rows = (tree[RECORD].data or b"").splitlines(True)
    data = b"".join(row for row in rows if row.decode().split(",")[0] in tree)
    return dict(tree, **{RECORD: tree[RECORD]._replace(data=data)})


def test_the_model_is_the_disk(world):
    """All recorded operations, replayed in the model, give the tree that is on the real disk."""
    disk = Disk(world.start("apply"), UMASK)
    for op in world.apply:
        disk.do(op)
    assert disk.now.tree() == world.applied
    for op in world.record("revert", world.applied):
        disk.do(op)
    assert disk.now.tree() == read(os.path.join(world.folder, "site")) == world.pip


@pytest.mark.parametrize("command", ["apply", "revert"])
def test_a_power_cut_during_a_command(world, command, thorough, tally):
    """Every disk that a cut can leave is whole after the next run; a change that ended lasts.

    Without --long, the next run is made on every fifth of them; all are looked at.
    """
    disk = Disk(world.start(command), UMASK)
    losses = cuts(disk, world.ops(command), 1024 if thorough else 8, set())
    for number, loss in enumerate(losses):
        is_recovered = thorough or number % 5 == 0
        check(world, loss, [WAYS[number % 3]] if is_recovered else [])
        tally("power loss: " + command)
    lasts(world, disk, command, thorough, tally)


@pytest.mark.parametrize("second", ["apply", "revert"])
@pytest.mark.parametrize("first", ["apply", "revert"])
def test_a_power_cut_after_a_kill(world, first, second, thorough, tally):
    """What a killed run had not on the disk yet, the next run does not build on.

    Without --long, of the disks after a kill at most 12 are recovered; all are looked at.
    """
    seen = set()  # type: Set[Any]
    ways = itertools.cycle(WAYS)
    every = list(kills(world.ops(first), thorough))
    # A third of them for each pair of commands, another one for each.
    share = 2 * (first == "revert") + (second == "revert")
    for killed in every if thorough else every[share % 3 :: 3]:
        disk = Disk(world.start(first), UMASK)
        for op in world.ops(first)[:killed]:
            disk.do(op)
        then = world.record(second, disk.now.tree())
        left, budget = (None, 64) if thorough else (list(disk.pending), 4)
        losses = list(cuts(disk, then, budget, seen, left))
        step = 1 if thorough else 1 + len(losses) // 12
        for number, loss in enumerate(losses):
            check(world, loss, [next(ways)] if number % step == 0 else [])
            tally("power loss: %s after a killed %s" % (second, first))
        lasts(world, disk, second, thorough, tally)


def kills(ops, thorough):
    """After which operations the first run is killed: all, or where most names are at stake.

    That is right ahead of the fsync of a folder, of several in a row of the first.
    """
    files = {op.path for op in ops if op.call == "create"}
    ahead = [
        n
        for n in range(1, len(ops))
        if ops[n].call == "sync" != ops[n - 1].call and ops[n].path not in files
    ]
    return range(len(ops)) if thorough else ahead


def cuts(disk, ops, budget, seen, left=None):
    """The losses by a cut after any operation, each disk once.

    Until an fsync, all that a cut could leave it can leave later as well, if what came
    later is lost: so only the last moment ahead of each fsync is looked at, and the end.
    With ``left``, changes that a killed run had pending: only while one of them still is.
    """
    dice = random.Random(SEED)
    for op in list(ops) + [None]:
        matters = left is None or any(one is change for one in left for change in disk.pending)
        if matters and (op is None or op.call == "sync"):
            yield from new_losses(disk, budget, dice, seen)
        if op is not None:
            disk.do(op)


def new_losses(disk, budget, dice, seen):
    """The losses by a cut now, but those that leave a disk which ``seen`` has."""
    for loss in disk.after_power_loss(budget, dice):
        key = frozenset(loss.tree.items())
        if key not in seen:
            seen.add(key)
            yield loss


def check(world, loss, ways):
    """A disk as it is found, and as the lock or a command leaves it."""
    whole(world, loss)
    for way in ways:
        site = write(loss.tree, os.path.join(world.memory, "site"))
        wrong = in_child(leaves_it_whole, world, site, way)
        assert not wrong, "%s\n%s" % (wrong, loss)


def leaves_it_whole(world, site, way):
    """The lock alone, or each command in its turn."""
    if not way:
        with locked(site):
            pass
        world.outcome(read(site))
    for command in way:
        answer = world.jhpatch(None, command, "--site", site, *world.options)
        assert answer.code == 0, answer.error
        assert world.outcome(read(site)) == END[command], command


def in_child(work, *arguments):
    """What went wrong, if anything; a process that ends, as a command does, closes its files."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            work(*arguments)
        except BaseException as error:
            os.write(writing, repr(error).encode()[:4000])
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        wrong = pipe.read().decode(errors="replace")
    status = os.waitpid(child, 0)[1]
    return wrong or (status and "the child died: %d" % status)


def whole(world, loss):
    """Before any recovery: no file of the site is torn, nor is the journal or the state."""
    found = loss.tree
    paths = set(world.pip) | set(outside(world.applied)) | set(outside(world.older or {}))
    for path in paths:
        allowed = [tree.get(path) for tree in (world.pip, world.applied, world.older or {})]
        node = found.get(path)
        is_new = node is not None and node.data is None and path not in world.pip
        # The disk can lose the mode of a new directory; the next run removes it, or sets that.
        assert node in allowed or is_new, "%s is torn\n%s" % (path, loss)
    if ".jhpatch/journal.json" in found:
        parse(found[".jhpatch/journal.json"].data, "journal.json")
    if ".jhpatch/state.json" in found:
        json.loads(found[".jhpatch/state.json"].data.decode())


def lasts(world, disk, command, thorough, tally):
    """A command that has ended with 0: no cut takes its change away."""
    site = {"apply": world.applied, "revert": world.pip}[command]
    losses = new_losses(disk, 64 if thorough else 4, random.Random(SEED), set())
    for number, loss in enumerate(losses):
        found = outside(loss.tree) if command == "apply" else loss.tree  # .jhpatch is gone
        assert not differences(found, outside(site)), loss
        assert ".jhpatch/journal.json" not in loss.tree, loss
        check(world, loss, [WAYS[number % 3]])
        tally("power loss: after the end of " + command)
