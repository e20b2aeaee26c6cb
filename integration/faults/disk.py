"""A disk that loses power: every tree of files that may be found on it afterwards.

What a program has asked for and what is on the disk are two things until an fsync. The
model keeps both, and promises no more than Linux does:

- fsync of a file makes its bytes and its mode last, and not its name: "does not
  necessarily ensure that the entry in the directory containing the file has also reached
  disk" (fsync(2)).
- fsync of a folder makes the names in it last: not the bytes of its files, not the names
  in folders below, and not its own name in the folder above.
- Before that, each change is kept or lost by itself, in any combination and whatever came
  first. Real file systems do reorder appends and changes of folders (ALICE: Pillai et al.,
  All File Systems Are Not Created Equal, OSDI '14, table 1).
- A rename is atomic for its new name, which is never missing (rename(2)); the old name
  may come back beside it. What was renamed may still lack its bytes: the names are on the
  disk, the data is not.
- Bytes that were not fsynced: none, all, the first half, or zeros of the right length, as
  where the size was written and the blocks were not.

Not modelled: a medium that loses what it had confirmed, and the times of files.
"""

import itertools
import os
import random
import shutil
import stat
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union


class Node(NamedTuple):
    """A file, or a folder where ``data`` is None."""

    data: Optional[bytes]
    mode: int


Tree = Dict[str, Node]
"""What lies below a folder, by its path from there."""


class Op(NamedTuple):
    """What a program asked for: create, write, mode, mkdir, rename, unlink, rmdir or sync."""

    call: str
    path: str
    mode: int = 0
    data: bytes = b""
    new: str = ""


class State:
    """Inodes by number, and for each folder the names in it; the root is number 0."""

    def __init__(self, nodes: Dict[int, Node], names: Dict[int, Dict[str, int]]) -> None:
        self.nodes = nodes
        self.names = names

    def copy(self) -> "State":
        """A state that can be changed by itself."""
        return State(dict(self.nodes), {inode: dict(row) for inode, row in self.names.items()})

    def find(self, path: str) -> Optional[int]:
        """The inode at ``path``; None where there is none."""
        inode = 0  # type: Optional[int]
        for part in path.split("/") if path else []:
            inode = self.names.get(-1 if inode is None else inode, {}).get(part)
        return inode

    def tree(self, inode: int = 0, above: str = "") -> Tree:
        """What can be reached from the root."""
        found = {}  # type: Tree
        for name, below in self.names[inode].items():
            found[above + name] = self.nodes[below]
            if below in self.names:
                found.update(self.tree(below, above + name + "/"))
        return found


# Changes: ``where`` is the inode whose fsync makes them last, ``fates`` in how many ways
# a change that was not fsynced may be found, beside not at all. The first is the whole.


class Put(NamedTuple):
    """A new name in a folder."""

    where: int
    name: str
    inode: int
    fates = 1

    def onto(self, state: State, fate: int) -> None:
        state.names[self.where][self.name] = self.inode


class Rename(NamedTuple):
    """A name that takes another's place; in its second fate the old one is there as well."""

    where: int
    old: str
    name: str
    inode: int
    fates = 2

    def onto(self, state: State, fate: int) -> None:
        names = state.names[self.where]
        if fate == 1:
            names.pop(self.old, None)
        names[self.name] = self.inode


class Drop(NamedTuple):
    """A name that goes."""

    where: int
    name: str
    fates = 1

    def onto(self, state: State, fate: int) -> None:
        state.names[self.where].pop(self.name, None)


class Write(NamedTuple):
    """Bytes at the end of a file."""

    where: int
    offset: int
    data: bytes
    fates = 3

    def onto(self, state: State, fate: int) -> None:
        half, zeros = self.data[: len(self.data) // 2], bytes(len(self.data))
        data = (self.data, half, zeros)[fate - 1]
        old = state.nodes[self.where]
        whole = (old.data or b"").ljust(self.offset, b"\0")[: self.offset] + data
        state.nodes[self.where] = old._replace(data=whole)


class Mode(NamedTuple):
    """Another mode."""

    where: int
    mode: int
    fates = 1

    def onto(self, state: State, fate: int) -> None:
        state.nodes[self.where] = state.nodes[self.where]._replace(mode=self.mode)


Change = Union[Put, Rename, Drop, Write, Mode]


class Loss(NamedTuple):
    """A disk after a power cut, and the fate of each change that was pending; 0 is lost."""

    tree: Tree
    fates: Tuple[Tuple[Change, int], ...]

    def __str__(self) -> str:
        said = []
        for change, fate in self.fates:
            words = "%s %s" % (type(change).__name__, getattr(change, "name", change.where))
            said.append("%s: %s" % (words, "kept in fate %d" % fate if fate else "lost"))
        return "\n".join(said)


class Disk:
    """``now`` is what programs see, ``pending`` what a power cut may take from it."""

    def __init__(self, tree: Tree, umask: int) -> None:
        self.now = State({0: Node(None, 0o755)}, {0: {}})
        self._lasting = State({}, {})
        self.pending = []  # type: List[Change]
        self._umask = umask
        self._new = set()  # type: Set[int]
        for path in sorted(tree):
            above, _, name = path.rpartition("/")
            inode = self._made(tree[path])
            self.now.names[self.now.find(above) or 0][name] = inode
        self._lasting = self.now.copy()
        self._new.clear()

    def do(self, op: Op) -> None:
        """One operation, in the order of the program."""
        if op.call != "sync":
            for change in self._changes(op):
                change.onto(self.now, 1)
                self.pending.append(change)
            return
        synced = self.now.find(op.path)
        for change in self.pending:
            if change.where == synced:
                change.onto(self._lasting, 1)
        self.pending = [change for change in self.pending if change.where != synced]

    def _changes(self, op: Op) -> List[Change]:
        above, _, name = op.path.rpartition("/")
        folder, inode = self.now.find(above), self.now.find(op.path)
        assert folder is not None
        if op.call in ("create", "mkdir"):
            if inode is not None:
                return []
            data = b"" if op.call == "create" else None
            return [Put(folder, name, self._made(Node(data, op.mode & ~self._umask)))]
        assert inode is not None, op
        if op.call == "rename":
            assert op.new.rpartition("/")[0] == above, "a rename to another folder"
            return [Rename(folder, name, op.new.rpartition("/")[2], inode)]
        if op.call == "write":
            assert inode in self._new, "a file that was there is written: %s" % op.path
            return [Write(inode, len(self.now.nodes[inode].data or b""), op.data)]
        return [Mode(inode, op.mode) if op.call == "mode" else Drop(folder, name)]

    def _made(self, node: Node) -> int:
        inode = len(self.now.nodes)
        self._new.add(inode)
        for state in (self.now, self._lasting):
            state.nodes[inode] = node
            if node.data is None:
                state.names[inode] = {}
        return inode

    def after_power_loss(self, budget: int, dice: random.Random) -> Iterator[Loss]:
        """What may be found: all of it where that is at most ``budget``, else a selection."""
        for fates in _fates([change.fates for change in self.pending], budget, dice):
            state = self._lasting.copy()
            for change, fate in zip(self.pending, fates):
                if fate:
                    change.onto(state, fate)
            yield Loss(state.tree(), tuple(zip(self.pending, fates)))


def _fates(most: List[int], budget: int, dice: random.Random) -> Iterator[Sequence[int]]:
    """For each change 0 (lost) or one of its fates.

    The selection: all beginnings; each change the only one that is lost, half kept or
    kept; and ``budget`` at random.
    """
    total = 1
    for one in most:
        total *= one + 1
    if total <= budget:
        yield from itertools.product(*(range(one + 1) for one in most))
        return
    for length in range(len(most) + 1):
        yield [1] * length + [0] * (len(most) - length)
    for number, one in enumerate(most):
        for others, fate in itertools.product((0, 1), range(one + 1)):
            yield [fate if at == number else others for at in range(len(most))]
    for _ in range(budget):
        yield [dice.randint(0, one) for one in most]


# Between trees and real folders.


def read(folder: str) -> Tree:
    """The tree of a real folder, which has only folders and files."""
    found = {}  # type: Tree
    for above, folders, names in os.walk(folder):
        for full in (os.path.join(above, name) for name in folders + names):
            mode, data = os.lstat(full).st_mode, None
            if not stat.S_ISDIR(mode):
                assert stat.S_ISREG(mode), full
                with open(full, "rb") as file:
                    data = file.read()
            found[os.path.relpath(full, folder)] = Node(data, stat.S_IMODE(mode))
    return found


def write(tree: Tree, folder: str) -> str:
    """The tree as a real folder, in place of what was there."""
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    for path in sorted(tree):
        full = os.path.join(folder, path)
        data, mode = tree[path]
        if data is None:
            os.mkdir(full)
        else:
            with open(full, "wb") as file:
                file.write(data)
        os.chmod(full, mode)
    return folder
