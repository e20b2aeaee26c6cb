"""The lines that a patch inserts into a file, and the same insertions in another release's file.

Nothing is searched for by line number or by similarity. Each insertion has an anchor in the
syntax tree: a decorator is in a method's list of decorators, a call is at the end of a method,
an import is before all others of its package. It moves only where its anchor exists exactly
once in the same class and is unchanged; the result counts only if its tree without the
insertions is that of the new release.
"""

import ast
from typing import Dict, Iterator, List, Optional, Set, Tuple, Union

from jhpatch.errors import Refused
from jhpatch.namedtuple import NamedTuple

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]


class Insertion(NamedTuple):
    """A line that a patch inserts."""

    kind: str
    """``import``, ``decorator`` or ``call``."""
    text: str
    owner: str
    """The class and the method that contain it, dotted; empty for an import."""
    anchor: str
    """What must be the same in another release."""
    shown: str = ""
    """The anchor as source text."""
    rank: int = 0
    """Of a decorator: how many of the method's own decorators are above it."""


def insertions_of(before: bytes, after: bytes, path: str) -> Tuple[Insertion, ...]:
    """Return what a patch inserted into a file. Raises Refused for any other kind of change."""
    inserted = _inserted_lines(before, after, path)
    lines = _lines(after, path)
    tree = _parse(after, path)
    by_line: Dict[int, Insertion] = dict(_imports(tree, inserted, lines))
    for owner, method in _methods(tree):
        by_line.update(_in_method(owner, method, inserted, lines))
    for number in sorted(inserted - set(by_line)):
        raise doubtful(
            "a line that the patch puts in is no import, decorator or last call",
            "%s, line %d" % (path, number),
            found=lines[number - 1].strip(),
        )
    return tuple(by_line[number] for number in sorted(by_line))


def insert(insertions: Tuple[Insertion, ...], before: bytes, path: str) -> bytes:
    """Return another release's file with the insertions. Raises Refused for a doubtful place."""
    lines = _lines(before, path)
    tree = _parse(before, path)
    places = [_place(tree, insertion, lines, path) for insertion in insertions]
    # From the end on, so that no place moves; of two at one line the first stays above.
    for index, text in sorted(reversed(places), key=lambda place: place[0], reverse=True):
        lines.insert(index, text)
    after = "\n".join(lines).encode("utf-8")
    result = insertions_of(before, after, path)
    if not _are_same(insertions, result) or not _is_only_difference(before, after, path):
        raise doubtful("the carried patch does not do what the old one does", path)
    return after


def doubtful(
    message: str, path: str, expected: Optional[str] = None, found: Optional[str] = None
) -> Refused:
    """Return the refusal to decide what a person must decide."""
    return Refused(
        message,
        path=path,
        expected=expected,
        found=found,
        next="cut this edition by hand: patches/README.md says how",
    )


def _are_same(insertions: Tuple[Insertion, ...], others: Tuple[Insertion, ...]) -> bool:
    return [row._replace(shown="") for row in insertions] == [
        row._replace(shown="") for row in others
    ]


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
            "the patch takes lines away, and only what it adds can be carried",
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
    """Return what callers see of a method: its kind, its arguments and its own decorators."""
    shown = ", ".join(ast.dump(decorator) for decorator in decorators)
    return "%s(%s) [%s]" % (type(method).__name__, ast.dump(method.args), shown)


def _shown_signature(method: Function, decorators: List[ast.expr], lines: List[str]) -> str:
    """Return the same as source text, on one line."""
    numbers = [decorator.lineno for decorator in decorators] + [method.lineno]
    return " ".join(lines[number - 1].strip() for number in numbers)


def _ending(
    method: Function, decorators: List[ast.expr], last: ast.stmt, lines: List[str]
) -> Tuple[str, str]:
    """Return signature and last statement of a method, as an anchor and as source text."""
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
            "%s is there %d times" % (insertion.owner, len(methods)), path, expected="exactly once"
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
            "%s is declared in another way, or ends in another way" % insertion.owner,
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
            "there is no import that the new one could stand ahead of",
            path,
            expected="from %s… import … at the top of the module" % insertion.anchor,
        )
    return imports[0] - 1, insertion.text


def _is_only_difference(before: bytes, after: bytes, path: str) -> bool:
    """Whether the trees differ by nothing but the nodes on inserted lines."""
    inserted = _inserted_lines(before, after, path)
    tree = _parse(after, path)
    tree.body = [node for node in tree.body if node.lineno not in inserted]
    for _, method in _methods(tree):
        kept = [node for node in method.decorator_list if node.lineno not in inserted]
        method.decorator_list = kept
        method.body = [node for node in method.body if node.lineno not in inserted]
    return ast.dump(tree) == ast.dump(_parse(before, path))


def _lines(data: bytes, path: str) -> List[str]:
    try:
        return data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise doubtful("the file is not UTF-8: %s" % error, path)


def _parse(data: bytes, path: str) -> ast.Module:
    try:
        return ast.parse(data, path)
    except (SyntaxError, ValueError) as error:
        raise doubtful("this Python cannot parse the file: %s" % error, path)
