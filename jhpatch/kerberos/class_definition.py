"""A class that a configuration file defines: its bases, its methods, and what these call."""

import ast
from typing import Any, Container, Dict, FrozenSet, Mapping, Set, Tuple

from jhpatch.kerberos.hub_config import Place
from jhpatch.namedtuple import NamedTuple


class Method(NamedTuple):
    """A method of a class definition."""

    line: int
    calls: FrozenSet[str] = frozenset()
    """The methods that it calls by super() or by the name of a base of the class."""
    own_calls: FrozenSet[str] = frozenset()
    """The methods that it calls by ``self``."""
    other_calls: FrozenSet[Tuple[str, str]] = frozenset()
    """The names of other classes, each with a method that it calls by that name."""
    passes_super: bool = False
    """Whether it passes super() to other code, such as getattr: it may call any method."""

    def runs(self, name: str, classes: Container[str]) -> bool:
        """Return whether it can call a method by super(), or by the name of one of ``classes``."""
        by_name = any(method == name and owner in classes for owner, method in self.other_calls)
        return name in self.calls or by_name or self.passes_super


class ClassDefinition(NamedTuple):
    """A class that a configuration file defines."""

    name: str
    bases: Tuple[Any, ...]
    """Each is an ``Imported`` or a ``ClassDefinition``; an ``Unread`` if it is unknown."""
    methods: Mapping[str, Method]
    attributes: FrozenSet[str]
    """The other names that the body of the class binds."""
    place: Place


def methods_of(node: ast.ClassDef) -> Dict[str, Method]:
    """Return the functions that the body of a class defines."""
    bases = {_name_of(base) for base in node.bases} - {""}
    return {
        child.name: _method(child, bases)
        for child in node.body
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
    }


def _method(node: ast.AST, bases: Set[str]) -> Method:
    """Return a method; ``bases`` are the names of the bases of its class."""
    owners, passes_super = {"super", *bases}, False
    for child in ast.walk(node):
        value = getattr(child, "value", None)
        if isinstance(child, ast.Assign) and _is_super(value):
            owners.update(name.id for name in child.targets if isinstance(name, ast.Name))
        elif not isinstance(child, ast.Attribute):
            passes_super = passes_super or any(map(_is_super, ast.iter_child_nodes(child)))
    rows = [
        (_name_of(child.value), child.attr)
        for child in ast.walk(node)
        if isinstance(child, ast.Attribute)
    ]
    return Method(
        _line_of(node),
        frozenset(name for owner, name in rows if owner in owners),
        frozenset(name for owner, name in rows if owner == "self"),
        frozenset((owner, name) for owner, name in rows if owner[:1].isupper()),
        passes_super,
    )


def _is_super(node: Any) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "super"


def _line_of(node: Any) -> int:
    """Return the line of ``def``: Python 3.7 and older use that of the first decorator."""
    decorators = [decorator.lineno for decorator in node.decorator_list]
    return max(decorators) + 1 if node.lineno in decorators else int(node.lineno)


def _name_of(node: Any) -> str:
    """Return the last name of ``super()``, ``self`` or ``module.Class``."""
    if isinstance(node, ast.Call):
        node = node.func
    return getattr(node, "attr", getattr(node, "id", ""))


def attributes_of(node: ast.ClassDef) -> FrozenSet[str]:
    """Return the names that the body of a class binds otherwise than by a plain ``def``."""
    names = set()
    for statement in node.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        for child in ast.walk(statement):
            if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
                names.add(child.id)
            elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                names.add(child.name)
    return frozenset(names)
