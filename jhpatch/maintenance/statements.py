"""The statements that a patch changes, and the same changes in another release's file.

Two syntax trees are compared, block by block: an edit replaces a run of statements of a block
by another run, or puts new ones between two neighbours. It moves only where the run, or the two
neighbours, exist exactly once in the same class and function, declared in the same way; the
result counts only if its tree is that of the new release with these edits. Similarity does not
count.
"""

import ast
from difflib import SequenceMatcher
from typing import Iterator, List, Optional, Set, Tuple

from jhpatch.maintenance.doubts import Doubts, doubtful
from jhpatch.maintenance.insertions import lines_of, parsed
from jhpatch.namedtuple import NamedTuple

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")

Block = List[ast.stmt]


class Edit(NamedTuple):
    """The replacement of a run of statements; each statement is given as its dump."""

    scope: str
    """The classes and functions that contain it, as a dotted name; "" for the module."""
    header: str
    """How the innermost of these is declared."""
    old: Tuple[str, ...]
    neighbours: Tuple[Optional[str], Optional[str]]
    """The statements before and after; None at an end of the block."""
    new: Tuple[ast.stmt, ...]
    text: Tuple[str, ...]
    """The lines of ``new``."""
    column: int
    shown: str
    adjoins: bool
    """Whether ``new`` stands right above the statement that follows, without a blank line."""


def port(before: bytes, after: bytes, target: bytes, path: str) -> bytes:
    """Return ``target`` with the change from ``before`` to ``after``.

    Raises Refused if anything is doubtful.
    """
    trees = [parsed(data, path) for data in (before, after, target)]
    lines = [lines_of(data, path) for data in (before, after, target)]
    added = _added_lines(lines[0], lines[1])
    edits = list(_edits(trees[0].body, trees[1].body, "", "", lines[1], added))
    if not edits:
        raise doubtful("the patch changes no statement of the file", path)
    places = []
    doubts = Doubts()
    for edit in edits:
        with doubts.collected():
            places.append(_place(edit, trees[2], path))
    doubts.refuse()
    _refuse_unknown_names(edits, trees[0], trees[2], path)
    result = list(lines[2])
    # Edit from the end, so that no place moves.
    ordered = sorted(zip(places, edits), key=lambda row: row[0][2], reverse=True)
    for (block, index, start, end), edit in ordered:
        result[start:end] = edit.text
        block[index : index + len(edit.old)] = list(edit.new)
    data = "\n".join(result).encode("utf-8")
    if ast.dump(parsed(data, path)) != ast.dump(trees[2]):
        raise doubtful("the ported patch is not equivalent to the old one", path)
    return data


# The edits of a patch.


def _edits(
    old: Block, new: Block, scope: str, header: str, lines: List[str], added: Set[int]
) -> Iterator[Edit]:
    marks = [_mark(node) for node in old], [_mark(node) for node in new]
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, *marks, autojunk=False).get_opcodes():
        if tag == "equal":
            for first, second in zip(old[i1:i2], new[j1:j2]):
                inner = (scope, header)
                if isinstance(first, _SCOPES):
                    inner = ("%s.%s" % (scope, first.name)).lstrip("."), _header(first)
                for one, other in zip(_blocks(first), _blocks(second)):
                    yield from _edits(one, other, *inner, lines, added)
            continue
        runs = [(i1, i2, j1, j2)]
        if i2 - i1 == j2 - j1 and all(isinstance(node, _SCOPES) for node in old[i1:i2]):
            # Methods whose declarations differ: other methods may stand between them.
            runs = [(i1 + n, i1 + n + 1, j1 + n, j1 + n + 1) for n in range(i2 - i1)]
        for i1, i2, j1, j2 in runs:
            dumps = tuple(ast.dump(node) for node in old[i1:i2])
            changed = tuple(new[j1:j2])
            text, column = _text(changed, lines, added)
            shown = (old[i1 : i1 + 1] or new[j1 : j1 + 1])[0]
            yield Edit(
                *(scope, header, dumps, _neighbours(old, i1, i2), changed, text),
                *(column if changed else old[i1].col_offset, _shown_place(shown, is_old=i1 < i2)),
                bool(changed) and _starts_below(changed[-1], new[j2:]),
            )


def _shown_place(node: ast.stmt, is_old: bool) -> str:
    return "line %d of the file %s the patch" % (node.lineno, "without" if is_old else "with")


def _starts_below(node: ast.stmt, following: Block) -> bool:
    return bool(following) and _start(following[0]) == (node.end_lineno or 0) + 1


def _mark(node: ast.stmt) -> str:
    """Return what identifies a statement; of a statement with blocks, all but the blocks."""
    return _header(node) if any(_blocks(node)) else ast.dump(node)


def _neighbours(block: Block, start: int, end: int) -> Tuple[Optional[str], Optional[str]]:
    """Return the statements before and after; of a class or function, only the declaration."""

    def shown(node: ast.stmt) -> str:
        return _header(node) if isinstance(node, _SCOPES) else ast.dump(node)

    return (
        shown(block[start - 1]) if start else None,
        shown(block[end]) if end < len(block) else None,
    )


def _header(node: ast.AST) -> str:
    """Return a statement without its blocks, such as the declaration of a function."""
    fields = []
    for name, value in ast.iter_fields(node):
        if name not in _BLOCKS:
            fields.append("%s=%s" % (name, _dump(value)))
        else:
            fields.append("%s:%d" % (name, bool(value)))
    heads = [
        _header(handler) for name in ("handlers", "cases") for handler in getattr(node, name, [])
    ]
    return "%s(%s)" % (type(node).__name__, ", ".join(fields + heads))


def _dump(value: object) -> str:
    if isinstance(value, list):
        return "[%s]" % ", ".join(map(_dump, value))
    return ast.dump(value) if isinstance(value, ast.AST) else repr(value)


def _blocks(node: ast.AST) -> Iterator[Block]:
    """Yield the blocks of a statement, those of its ``except`` and ``case`` clauses too."""
    for name in _BLOCKS:
        value = getattr(node, name, None)
        if not isinstance(value, list):
            continue
        if name in ("handlers", "cases"):
            for clause in value:
                yield from _blocks(clause)
        else:
            yield value


def _text(
    nodes: Tuple[ast.stmt, ...], lines: List[str], added: Set[int]
) -> Tuple[Tuple[str, ...], int]:
    """Return the lines of statements, with new comments and blank lines above, and the column."""
    if not nodes:
        return (), 0
    start, end = _start(nodes[0]), nodes[-1].end_lineno or 0
    while start - 1 in added and lines[start - 2].lstrip()[:1] in ("", "#"):
        start -= 1
    return tuple(lines[start - 1 : end]), nodes[0].col_offset


def _start(node: ast.stmt) -> int:
    """Return the first line of a statement; that of a decorated function is a decorator's."""
    decorators = getattr(node, "decorator_list", [])
    return int(min([node.lineno] + [decorator.lineno for decorator in decorators]))


def _added_lines(old: List[str], new: List[str]) -> Set[int]:
    """Return the numbers, from 1, of the lines of ``new`` that are not in ``old``."""
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    rows = (opcode for opcode in matcher.get_opcodes() if opcode[0] != "equal")
    return {number for _, _, _, j1, j2 in rows for number in range(j1 + 1, j2 + 1)}


# Their places in another release.


def _place(edit: Edit, tree: ast.Module, path: str) -> Tuple[Block, int, int, int]:
    """Return the block, the index in it, and the first and last line (from 0) to replace."""
    scopes = list(_scopes(tree, edit.scope))
    name = edit.scope or "the module"
    if len(scopes) != 1:
        raise doubtful("%s occurs %d times" % (name, len(scopes)), path, expected="exactly once")
    if edit.scope and _header(scopes[0]) != edit.header:
        raise doubtful("the declaration of %s differs" % name, path)
    found = [place for block in _inner_blocks(scopes[0]) for place in _in_block(edit, block)]
    if len(found) != 1:
        raise doubtful(
            "the statement that the patch changes occurs %d times in %s" % (len(found), name),
            "%s, %s" % (path, edit.shown),
            expected="exactly once",
        )
    block, index = found[0]
    size = len(edit.old)
    if size:
        start, end = _start(block[index]) - 1, block[index + size - 1].end_lineno or 0
        column = block[index].col_offset
    elif index and not (edit.adjoins and index < len(block)):
        start = end = block[index - 1].end_lineno or 0
        column = block[index - 1].col_offset
    else:
        start = end = _start(block[index]) - 1
        column = block[index].col_offset
    if column != edit.column:
        raise doubtful("the indentation of the statement in %s differs" % name, path)
    if size == len(block) and not edit.new:
        raise doubtful("the patch removes the only statement of a block in %s" % name, path)
    return block, index, start, end


def _in_block(edit: Edit, block: Block) -> Iterator[Tuple[Block, int]]:
    dumps = [ast.dump(node) for node in block]
    size = len(edit.old)
    for index in range(len(dumps) - size + 1):
        if size and tuple(dumps[index : index + size]) == edit.old:
            yield block, index
        elif not size and block and _neighbours(block, index, index) == edit.neighbours:
            yield block, index


def _scopes(tree: ast.Module, scope: str) -> Iterator[ast.AST]:
    """Yield the classes and functions of a dotted name; the module for ""."""
    nodes: List[ast.AST] = [tree]
    for name in filter(None, scope.split(".")):
        nodes = [
            inner
            for node in nodes
            for block in _inner_blocks(node)
            for inner in block
            if isinstance(inner, _SCOPES) and inner.name == name
        ]
    return iter(nodes)


def _inner_blocks(scope: ast.AST) -> Iterator[Block]:
    """Yield the blocks of a scope, without those of the classes and functions in it."""
    for block in _blocks(scope):
        yield block
        for node in block:
            if not isinstance(node, _SCOPES):
                yield from _inner_blocks(node)


def _refuse_unknown_names(
    edits: List[Edit], before: ast.Module, target: ast.Module, path: str
) -> None:
    """Raise Refused for a name in new statements that the new release no longer has.

    Only names that the old file, or the old function, has count.
    """
    for edit in edits:
        used = {name for node in edit.new for name in _names(node)}
        for old, new in (
            (before, target),
            (next(_scopes(before, edit.scope)), next(_scopes(target, edit.scope))),
        ):
            for _, name in sorted((used & _names(old)) - _names(new)):
                raise doubtful(
                    "the patch uses a name that the release no longer has", path, name, "none"
                )


def _names(tree: ast.AST) -> Set[Tuple[str, str]]:
    """Return the names and the attributes that a tree uses or binds."""
    names: Set[Tuple[str, str]] = set()
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "name", "asname"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                kind = "attribute" if field == "attr" else "name"
                names.add((kind, value.partition(".")[0]))
    return names
