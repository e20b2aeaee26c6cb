"""A configuration of nginx as values: directives, and which of them are in force in a block."""

from typing import Iterator, List, Optional, Sequence, Tuple

from jhpatch.namedtuple import NamedTuple


class Directive(NamedTuple):
    """A directive: its file and line, and the content of its block, if it has one."""

    name: str
    args: Tuple[str, ...]
    file: str
    line: int
    block: Optional[Tuple["Directive", ...]] = None

    @property
    def place(self) -> str:
        """``file:line``."""
        return "%s:%d" % (self.file, self.line)

    @property
    def is_unread(self) -> bool:
        """Whether this is an ``include`` of a file that could not be read."""
        return self.name == "include"

    def children(self, name: str) -> Iterator["Directive"]:
        """Return the directives of that name in its block."""
        return (directive for directive in self.block or () if directive.name == name)


Levels = Sequence[Tuple[Directive, ...]]
"""The directives of nested blocks, the outermost block first."""


def walk(directives: Sequence[Directive]) -> Iterator[Directive]:
    """Yield the directives and all that their blocks contain."""
    for directive in directives:
        yield directive
        yield from walk(directive.block or ())


def in_force(levels: Levels, name: str) -> List[Directive]:
    """Return the directives of the innermost level that has any, as nginx inherits them."""
    for level in reversed(levels):
        directives = [one for one in level if one.name == name and one.args]
        if directives:
            return directives
    return []


def is_known(levels: Levels, name: str) -> bool:
    """Return whether everything that decides about ``name`` was read.

    False if an ``include`` that could not be read is in the level that ``in_force`` takes its
    directives from, or further in.
    """
    for level in reversed(levels):
        if any(one.is_unread for one in level):
            return False
        if any(one.name == name for one in level):
            return True
    return True


def is_missing(levels: Levels, name: str) -> bool:
    """Return whether it is certain that no directive of that name is in force."""
    return not in_force(levels, name) and is_known(levels, name)
