"""The lines that a patch inserts into a file, and the same insertions in another release's file.

Nothing is searched for by line number or by similarity. Each insertion has an anchor in the
syntax tree: a decorator is in a method's list of decorators, a call is at the end of a method,
an import is before all others of its package. It moves only where its anchor exists exactly
once in the same class and is unchanged; the result counts only if its tree without the
insertions is that of the new release.
"""

import ast
import itertools
from typing import Dict, Iterator, List, Optional, Set, Tuple, Union

from jhpatch.maintenance.doubts import Doubts, doubtful
from jhpatch.namedtuple import NamedTuple

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]


class Insertion(NamedTuple):
    """A line that a patch inserts."""

    kind: str
    """``import``, ``decorator`` or ``call``."""
    text: str
    owner: str
    """The class and the method that contain it, as a dotted name; empty for an import."""
    anchor: str
    """The part of the syntax tree that must be the same in the other release."""
    shown: str = ""
    """The anchor as source text."""
    rank: int = 0
    """Of a decorator: how many of the method's own decorators are above it."""


def insertions_of(before: bytes, after: bytes, path: str) -> Tuple[Insertion, ...]:
    """Return what a patch inserted into a file. Raises Refused for any other kind of change."""
    return tuple(insertion for _, insertion in _numbered(before, after, path))


def _numbered(before: bytes, after: bytes, path: str) -> List[Tuple[int, Insertion]]:
    """Return the same, each with its line in ``after``."""
    inserted = _inserted_lines(before, after, path)
    lines = lines_of(after, path)
    tree = parsed(after, path)
    by_line: Dict[int, Insertion] = dict(_imports(tree, inserted, lines))
    for owner, method in _methods(tree):
        by_line.update(_in_method(owner, method, inserted, lines))
    for number in sorted(inserted - set(by_line)):
        raise doubtful(
            "rebase can insert only some imports, decorators and calls at the end of a method",
            "%s, line %d" % (path, number),
            found=lines[number - 1].strip(),
        )
    return sorted(by_line.items())


def insert(insertions: Tuple[Insertion, ...], before: bytes, path: str) -> bytes:
    """Return another release's file with the insertions. Raises Refused with each doubt."""
    lines = lines_of(before, path)
    tree = parsed(before, path)
    places = []
    doubts = Doubts()
    for insertion in insertions:
        with doubts.collected():
            places.append(_place(tree, insertion, lines, path))
    doubts.refuse()
    # Insert from the end, so that no place moves; of two at one line, the first stays above.
    for index, text in sorted(reversed(places), key=lambda place: place[0], reverse=True):
        lines.insert(index, text)
    after = "\n".join(lines).encode("utf-8")
    _verify(insertions, before, after, path)
    return after


def _verify(insertions: Tuple[Insertion, ...], before: bytes, after: bytes, path: str) -> None:
    """Raise Refused where the ported file has another insertion, or another difference.

    The order of methods may differ; that of the insertions in a method may not.
    """
    message = "the ported patch is not equivalent to the old one"
    rows = sorted(_numbered(before, after, path), key=lambda row: _of_method(row[1]))
    for expected, row in itertools.zip_longest(sorted(insertions, key=_of_method), rows):
        found = row and row[1]
        if not (found and expected and found._replace(shown=expected.shown) == expected):
            where = "%s, line %d" % (path, row[0]) if row else path
            raise doubtful(message, where, _described(expected), _described(found))
    number = _other_difference(before, after, path)
    if number is not None:
        line = lines_of(after, path)[number - 1].strip()
        raise doubtful(message, "%s, line %d" % (path, number), "an unchanged statement", line)


def _of_method(insertion: Insertion) -> Tuple[str, str]:
    return insertion.kind, insertion.owner


def _described(insertion: Optional[Insertion]) -> str:
    if insertion is None:
        return "no line"
    return insertion.text.strip() + (" at %s" % insertion.owner if insertion.owner else "")


# The insertions of a patched file.


def _inserted_lines(before: bytes, after: bytes, path: str) -> Set[int]:
    """Return the numbers, from 1, of the lines of ``after`` that are not in ``before``."""
    old, new = before.split(b"\n"), after.split(b"\n")
    inserted = set()
    index = 0
    for number, line in enumerate(new, 1):
        if index < len(old) and line == old[index]:
            index += 1
        else:
            inserted.add(number)
    if index < len(old):
        raise doubtful(
            "the patch removes lines, but only added lines can be ported",
            path,
            found=old[index].decode("utf-8", "replace").strip(),
        )
    return inserted


def _imports(
    tree: ast.Module, inserted: Set[int], lines: List[str]
) -> Iterator[Tuple[int, Insertion]]:
    packages: Set[str] = set()
    for node in tree.body:
        package = _package(node)
        is_first = package not in packages
        packages.add(package)
        if package and is_first and node.lineno in inserted and node.lineno == node.end_lineno:
            yield node.lineno, Insertion("import", lines[node.lineno - 1], "", package)


def _in_method(
    owner: str, method: Function, inserted: Set[int], lines: List[str]
) -> Iterator[Tuple[int, Insertion]]:
    own = [node for node in method.decorator_list if node.lineno not in inserted]
    for node in method.decorator_list:
        if node.lineno in inserted and node.lineno == node.end_lineno:
            rank = len([other for other in own if other.lineno < node.lineno])
            text = lines[node.lineno - 1].strip()
            anchor, shown = _signature(method, own), _shown_signature(method, own, lines)
            yield node.lineno, Insertion("decorator", text, owner, anchor, shown, rank)
    last = method.body[-1]
    is_call = isinstance(last, ast.Expr) and isinstance(last.value, ast.Call)
    if is_call and last.lineno in inserted and last.lineno == last.end_lineno:
        previous = method.body[-2:-1]
        if previous and previous[0].lineno not in inserted:
            text = lines[last.lineno - 1].strip()
            anchor, shown = _ending(method, own, previous[0], lines)
            yield last.lineno, Insertion("call", text, owner, anchor, shown)


def _methods(tree: ast.Module) -> Iterator[Tuple[str, Function]]:
    """Return each method of each class at the top of a module, with its dotted name."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    yield "%s.%s" % (node.name, method.name), method


def _package(node: ast.stmt) -> str:
    """Return the package of a from-import, "." for a relative one, "" for anything else."""
    if not isinstance(node, ast.ImportFrom):
        return ""
    return "." if node.level else (node.module or "").partition(".")[0]


def _signature(method: Function, decorators: List[ast.expr]) -> str:
    """Return the interface of a method: its kind, its arguments and its own decorators."""
    shown = ", ".join(ast.dump(decorator) for decorator in decorators)
    return "%s(%s) [%s]" % (type(method).__name__, ast.dump(method.args), shown)


def _shown_signature(method: Function, decorators: List[ast.expr], lines: List[str]) -> str:
    """Return the signature as source text on one line."""
    numbers = [decorator.lineno for decorator in decorators] + [method.lineno]
    return " ".join(lines[number - 1].strip() for number in numbers)


def _ending(
    method: Function, decorators: List[ast.expr], last: ast.stmt, lines: List[str]
) -> Tuple[str, str]:
    """Return the signature and the last statement of a method, as an anchor and as source text."""
    anchor = "%s … %s" % (_signature(method, decorators), ast.dump(last))
    source = lines[last.lineno - 1].strip()
    return anchor, "%s … %s" % (_shown_signature(method, decorators, lines), source)


# Their places in another release.


def _place(tree: ast.Module, insertion: Insertion, lines: List[str], path: str) -> Tuple[int, str]:
    """Return the index of the line that an insertion goes before, and its indented text."""
    if insertion.kind == "import":
        return _place_of_import(tree, insertion, path)
    methods = [method for owner, method in _methods(tree) if owner == insertion.owner]
    if len(methods) != 1:
        raise doubtful(
            "%s occurs %d times" % (insertion.owner, len(methods)), path, expected="exactly once"
        )
    method = methods[0]
    own, last = method.decorator_list, method.body[-1]
    if insertion.kind == "decorator":
        anchor, shown = _signature(method, own), _shown_signature(method, own, lines)
        number = own[insertion.rank].lineno if insertion.rank < len(own) else method.lineno
        neighbour = lines[number - 1]
    else:
        anchor, shown = _ending(method, own, last, lines)
        number = (last.end_lineno or 0) + 1
        neighbour = lines[last.lineno - 1]
    if anchor != insertion.anchor:
        raise doubtful(
            "the declaration or the last statement of %s differs" % insertion.owner,
            "%s, line %d" % (path, method.lineno),
            expected=insertion.shown,
            found=shown,
        )
    indent = neighbour[: len(neighbour) - len(neighbour.lstrip())]
    return number - 1, indent + insertion.text


def _place_of_import(tree: ast.Module, insertion: Insertion, path: str) -> Tuple[int, str]:
    imports = [node.lineno for node in tree.body if _package(node) == insertion.anchor]
    classes = [node.lineno for node in tree.body if isinstance(node, ast.ClassDef)]
    if not imports or min(imports) > min(classes, default=0):
        raise doubtful(
            "there is no import before which the new import can be inserted",
            path,
            expected="from %s… import … at the top of the module" % insertion.anchor,
        )
    return imports[0] - 1, insertion.text


def _other_difference(before: bytes, after: bytes, path: str) -> Optional[int]:
    """Return the line of a statement that differs by more than the nodes on inserted lines."""
    inserted = _inserted_lines(before, after, path)
    tree = parsed(after, path)
    tree.body = [node for node in tree.body if node.lineno not in inserted]
    for _, method in _methods(tree):
        kept = [node for node in method.decorator_list if node.lineno not in inserted]
        method.decorator_list = kept
        method.body = [node for node in method.body if node.lineno not in inserted]
    for old, new in zip(parsed(before, path).body, tree.body):
        if ast.dump(old) != ast.dump(new):
            return new.lineno
    return None if ast.dump(tree) == ast.dump(parsed(before, path)) else 1


def lines_of(data: bytes, path: str) -> List[str]:
    """Return the lines of a source, without their ends. Raises the error of ``doubtful``."""
    try:
        return data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise doubtful("the file is not UTF-8: %s" % error, path)


def parsed(data: bytes, path: str) -> ast.Module:
    """Parse a source with this Python. Raises the error of ``doubtful``."""
    try:
        return ast.parse(data, path)
    except (SyntaxError, ValueError) as error:
        raise doubtful("this Python cannot parse the file: %s" % error, path)
