"""An edition for one release → the same change to another release's file, or a refusal.

Nothing is searched for by line or by likeness. Each piece that a patch puts in has
an anchor in the syntax tree: a decorator stands in a method's list of decorators, a
call at the end of a method, an import ahead of all others of its package. A piece
moves only where its anchor is found exactly once in the same class and looks the
same; the result counts only if, but for the pieces, its tree is the new release's.
"""

import ast
from typing import Dict, Iterable, Iterator, List, Optional, Tuple, Union

from jhpatch.errors import Refused
from jhpatch.maintenance import patch_writer
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset import engine, unified_diff, versions
from jhpatch.patchset.edition import Edition
from jhpatch.system import compiler, sha256

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]


class Piece(NamedTuple):
    """Something that a patch puts in.

    ``kind`` is ``import``, ``decorator`` or ``call``; ``owner`` is the class and the
    method that hold it, dotted; ``anchor`` is what must be the same in another release.
    """

    kind: str
    text: str
    owner: str
    anchor: str
    shown: str = ""
    """The anchor as a person reads it."""
    rank: int = 0
    """How many of the method's own decorators stand above."""


def carried(
    edition: Edition, before: Dict[str, bytes], target: Dict[str, bytes], version: str
) -> str:
    """The text of the patch file that carries ``edition`` to ``version``.

    ``before`` and ``target`` are the unpatched files of the edition's release and of
    the other one, by path. Raises Refused where anything is doubtful, BadPatch where
    the edition does not fit ``before``.
    """
    after = engine.after_of(edition, before)
    made: Dict[str, bytes] = {}
    for change in edition.changes:
        path = change.path
        if path not in target:
            raise _doubtful("%s has no such file" % version, path)
        made[path] = moved(pieces_of(before[path], after[path], path), target[path], path)
        _compile(made[path], path)
    rows: List[Tuple[str, str]] = []
    for name, value in edition.fields:
        if name in ("Before", "After"):
            path = value.partition(" ")[0]
            data = target[path] if name == "Before" else made[path]
            value = "%s sha256:%s" % (path, sha256.sha256(data))
        rows.append((name, "==" + version if name == "Versions" else value))
    diffs = (unified_diff.diff(path, target[path], made[path]) for path in sorted(made))
    return patch_writer.text_of(rows, "".join(diffs))


def widened(edition: Edition, version: str, others: Iterable[Edition]) -> str:
    """The ``Versions`` of an edition with ``version``, whose bytes are the same, in it.

    The last range grows where the release follows it in the same major version and no
    edition among ``others`` lies between; else the release is named by itself.
    """
    last = edition.ranges[-1]
    follows = (
        versions.is_plain(version)
        and versions.is_plain(last.high)
        and versions.key(version) > versions.key(last.high)
        and version.partition(".")[0] == last.high.partition(".")[0]
    )
    grown = versions.Range(last.low, version)
    if follows and not any(one.meets(grown) for other in others for one in other.ranges):
        parts = edition.versions.split("|")[:-1] + [">=%s,<=%s" % (last.low, version)]
    else:
        parts = edition.versions.split("|") + ["==" + version]
    return " | ".join(part.strip() for part in parts)


def pieces_of(before: bytes, after: bytes, path: str) -> Tuple[Piece, ...]:
    """What a patch put into a file. Raises Refused for anything but the three kinds."""
    inserted = _inserted(before, after, path)
    lines = _lines(after, path)
    tree = _parsed(after, path)
    found: Dict[int, Piece] = {}
    for number, piece in _imports(tree, inserted, lines):
        found[number] = piece
    for owner, method in _methods(tree):
        for number, piece in _in_method(owner, method, inserted, lines):
            found[number] = piece
    for number in sorted(inserted - set(found)):
        raise _doubtful(
            "a line that the patch puts in is no import, decorator or last call",
            "%s, line %d" % (path, number),
            found=lines[number - 1].strip(),
        )
    return tuple(found[number] for number in sorted(found))


def moved(pieces: Tuple[Piece, ...], before: bytes, path: str) -> bytes:
    """The file of another release with ``pieces`` in it. Raises Refused where one is doubtful."""
    lines = _lines(before, path)
    tree = _parsed(before, path)
    places = [_place(tree, piece, lines, path) for piece in pieces]
    # From the end on, so that no place moves; of two at one line the first stays above.
    for at, text in sorted(reversed(places), key=lambda place: place[0], reverse=True):
        lines.insert(at, text)
    after = "\n".join(lines).encode("utf-8")
    if not _are_same(pieces, pieces_of(before, after, path)) or not _is_same_but(
        before, after, path
    ):
        raise _doubtful("the carried patch does not do what the old one does", path)
    return after


def _are_same(one: Tuple[Piece, ...], other: Tuple[Piece, ...]) -> bool:
    return [p._replace(shown="") for p in one] == [p._replace(shown="") for p in other]


# The pieces of a patched file.


def _inserted(before: bytes, after: bytes, path: str) -> "set[int]":
    """The lines of ``after``, counted from 1, that are not in ``before``."""
    old, new = before.split(b"\n"), after.split(b"\n")
    inserted = set()
    at = 0
    for number, line in enumerate(new, 1):
        if at < len(old) and line == old[at]:
            at += 1
        else:
            inserted.add(number)
    if at < len(old):
        raise _doubtful(
            "the patch takes lines away, and only what it adds can be carried",
            path,
            found=old[at].decode("utf-8", "replace").strip(),
        )
    return inserted


def _imports(
    tree: ast.Module, inserted: "set[int]", lines: List[str]
) -> Iterator[Tuple[int, Piece]]:
    for one in tree.body:
        package = _package(one)
        if package and one.lineno in inserted and one.lineno == one.end_lineno:
            if next(other for other in tree.body if _package(other) == package) is one:
                yield one.lineno, Piece("import", lines[one.lineno - 1], "", package)


def _in_method(
    owner: str, method: Function, inserted: "set[int]", lines: List[str]
) -> Iterator[Tuple[int, Piece]]:
    own = [one for one in method.decorator_list if one.lineno not in inserted]
    for one in method.decorator_list:
        if one.lineno in inserted and one.lineno == one.end_lineno:
            above = [other for other in own if other.lineno < one.lineno]
            text = lines[one.lineno - 1].strip()
            anchor = _signature(method, own)
            shown = _head(method, own, lines)
            yield one.lineno, Piece("decorator", text, owner, anchor, shown, len(above))
    last = method.body[-1]
    is_call = isinstance(last, ast.Expr) and isinstance(last.value, ast.Call)
    if is_call and last.lineno in inserted and last.lineno == last.end_lineno:
        ahead = method.body[-2:-1]
        if ahead and ahead[0].lineno not in inserted:
            text = lines[last.lineno - 1].strip()
            anchor = "%s … %s" % (_signature(method, own), ast.dump(ahead[0]))
            shown = "%s … %s" % (_head(method, own, lines), lines[ahead[0].lineno - 1].strip())
            yield last.lineno, Piece("call", text, owner, anchor, shown)


def _methods(tree: ast.Module) -> Iterator[Tuple[str, Function]]:
    """Each method of each class at the top of a module."""
    for one in tree.body:
        if isinstance(one, ast.ClassDef):
            for method in one.body:
                if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    yield "%s.%s" % (one.name, method.name), method


def _package(node: ast.stmt) -> str:
    """The package that a from-import names, "." for a relative one; "" for anything else."""
    if not isinstance(node, ast.ImportFrom):
        return ""
    return "." if node.level else (node.module or "").partition(".")[0]


def _signature(method: Function, decorators: List[ast.expr]) -> str:
    """What callers see of a method: its kind, its arguments and its own decorators."""
    shown = ", ".join(ast.dump(one) for one in decorators)
    return "%s(%s) [%s]" % (type(method).__name__, ast.dump(method.args), shown)


def _head(method: Function, decorators: List[ast.expr], lines: List[str]) -> str:
    """The same on one line, as it is written."""
    numbers = [one.lineno for one in decorators] + [method.lineno]
    return " ".join(lines[number - 1].strip() for number in numbers)


# Their places in another release.


def _place(tree: ast.Module, piece: Piece, lines: List[str], path: str) -> Tuple[int, str]:
    """The index of the line that a piece comes to stand above, and its text."""
    if piece.kind == "import":
        return _place_of_import(tree, piece, path)
    methods = [method for owner, method in _methods(tree) if owner == piece.owner]
    if len(methods) != 1:
        raise _doubtful(
            "%s is there %d times" % (piece.owner, len(methods)), path, expected="exactly once"
        )
    method = methods[0]
    own = method.decorator_list
    if piece.kind == "decorator":
        found, shown = _signature(method, own), _head(method, own, lines)
        line = own[piece.rank].lineno if piece.rank < len(own) else method.lineno
    else:
        last = method.body[-1]
        found = "%s … %s" % (_signature(method, own), ast.dump(last))
        shown = "%s … %s" % (_head(method, own, lines), lines[last.lineno - 1].strip())
        line = (last.end_lineno or 0) + 1
    if found != piece.anchor:
        raise _doubtful(
            "%s is declared in another way, or ends in another way" % piece.owner,
            "%s, line %d" % (path, method.lineno),
            expected=piece.shown,
            found=shown,
        )
    like = lines[method.body[-1].lineno - 1] if piece.kind == "call" else lines[line - 1]
    return line - 1, like[: len(like) - len(like.lstrip())] + piece.text


def _place_of_import(tree: ast.Module, piece: Piece, path: str) -> Tuple[int, str]:
    found = [one.lineno for one in tree.body if _package(one) == piece.anchor]
    classes = [one.lineno for one in tree.body if isinstance(one, ast.ClassDef)]
    if not found or min(found) > min(classes, default=0):
        raise _doubtful(
            "there is no import that the new one could stand ahead of",
            path,
            expected="from %s… import … at the top of the module" % piece.anchor,
        )
    return found[0] - 1, piece.text


def _is_same_but(before: bytes, after: bytes, path: str) -> bool:
    """Whether the trees differ by nothing but what stands on inserted lines."""
    inserted = _inserted(before, after, path)
    tree = _parsed(after, path)
    tree.body = [one for one in tree.body if one.lineno not in inserted]
    for _, method in _methods(tree):
        kept = [one for one in method.decorator_list if one.lineno not in inserted]
        method.decorator_list = kept
        method.body = [one for one in method.body if one.lineno not in inserted]
    return ast.dump(tree) == ast.dump(_parsed(before, path))


def _compile(data: bytes, path: str) -> None:
    for _, error in compiler.check({path: data.decode("latin-1")}):
        raise _doubtful("the patched file does not compile: %s" % error, path)


def _lines(data: bytes, path: str) -> List[str]:
    try:
        return data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise _doubtful("the file is not UTF-8: %s" % error, path)


def _parsed(data: bytes, path: str) -> ast.Module:
    try:
        return ast.parse(data, path)
    except (SyntaxError, ValueError) as error:
        raise _doubtful("this Python cannot parse the file: %s" % error, path)


def _doubtful(
    message: str, path: str, expected: Optional[str] = None, found: Optional[str] = None
) -> Refused:
    return Refused(
        message,
        path=path,
        expected=expected,
        found=found,
        next="cut this edition by hand: patches/README.md says how",
    )
