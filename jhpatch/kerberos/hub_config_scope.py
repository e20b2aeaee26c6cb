"""The names and the settings of a configuration file while it is read."""

import ast
import contextlib
from typing import Any, Callable, Dict, FrozenSet, Iterator, List, Optional, Set, Union

from jhpatch.kerberos.hub_config import Place, Unread
from jhpatch.kerberos.hub_config_values import Builtin, Entries, Section, lose

COMPUTED = "is computed"
CONDITION = "is set under a condition"
LOOP = "is set in a loop"
FUNCTION = "is set in a function that may not run"
NOT_FOLLOWED = "is used in code that doctor does not follow"
Load = Callable[[str, Optional[str]], Union[Section, str]]
"""Reads another configuration file, by its name and, if given, its directory. Returns its
settings, or why they are not known."""
CONSTANTS = ("Constant", "Str", "Num", "Bytes", "NameConstant", "Ellipsis")


class Scope:
    """The names and the settings of one configuration file while it is read."""

    def __init__(self, path: str, load: Load) -> None:
        self.path = path
        self.config = Section()
        self.names: Dict[str, Any] = {
            "c": self.config,
            "get_config": Builtin("get_config"),
            "load_subconfig": Builtin("load_subconfig"),
            "__file__": path,
        }
        self.unread: List[Unread] = []
        self.uncertain = ""
        """Why the code that is read may not run; empty if it certainly runs."""
        self.global_names: FrozenSet[str] = frozenset()
        """Names that a function can bind."""
        self.shared: Set[str] = set()
        """Names of outer scopes that functions, which can run at any time, use."""
        self.outer: Optional[Dict[str, Any]] = None
        """The names around the function that is read; None outside of functions."""
        self.around_class: Optional[Dict[str, Any]] = None
        """The names around the class that is read: its functions do not see its own."""
        self.has_ended = False
        """Whether code was read that certainly ends the hub: nothing after it is read."""
        self._load = load

    def unknown(self, node: ast.AST, what: str = COMPUTED) -> Unread:
        """Return the value of code that is not evaluated."""
        return Unread(Place(self.path, getattr(node, "lineno", 0)), what)

    def note(self, node: ast.AST, what: str) -> Unread:
        """Remember code that can change settings, without knowing which."""
        unread = self.unknown(node, what)
        if unread not in self.unread:
            self.unread.append(unread)
        return unread

    def end(self, node: ast.AST, what: str) -> None:
        """Remember code that ends the hub, unless it may not run."""
        if not self.uncertain:
            self.note(node, what + ": the hub does not start")
            self.has_ended = True

    def forget(self, value: Any, node: ast.AST, what: str) -> None:
        """Treat all of a section or a dictionary as unknown: the code at ``node`` changes it."""
        if isinstance(value, Section):
            value.forget(self.note(node, what), self.outer is not None)
        elif isinstance(value, Entries):
            value.forget(self.unknown(node, what), self.outer is not None)

    def lose(self, value: Any, node: ast.AST, what: str = NOT_FOLLOWED) -> None:
        """Treat a section or a dictionary as unknown from now on: other code can hold it."""
        if isinstance(value, Builtin):
            value = self.config
        if isinstance(value, Section) and not value.is_lost:
            lose(value, self.note(node, "%s %s" % (value, what)))
        elif isinstance(value, Entries):
            lose(value, self.unknown(node, what))

    def certain(self, value: Any, node: ast.AST) -> Any:
        """Return a value, or an unknown one if the code at ``node`` may not run."""
        if not self.uncertain:
            return value
        self.lose(value, node)
        return self.unknown(node, self.uncertain)

    def bind(self, name: str, value: Any, node: ast.AST) -> None:
        """Bind a name to a value, which functions that use the name can then hold."""
        if name in self.global_names or (
            name in self.shared and value is not self.names.get(name)
        ):
            self.lose(value, node, "is used in a function")
        self.names[name] = value

    def unbind(self, name: str, why: Unread, node: ast.AST) -> None:
        """Treat a name as unknown; it may still be bound to its present value."""
        self.lose(self.names.get(name), node)
        self.names[name] = why

    @contextlib.contextmanager
    def under(self, why: str) -> Iterator[None]:
        """Treat what is read in this context as code that may not run."""
        before = self.uncertain
        self.uncertain = before or why
        try:
            yield
        finally:
            self.uncertain = before

    @contextlib.contextmanager
    def function(self, arguments: ast.arguments) -> Iterator[None]:
        """Treat what is read in this context as a function's body, which can run at any time."""
        before = self.names, self.outer, self.around_class
        self.outer = self.names if self.around_class is None else self.around_class
        self.names, self.around_class = dict(self.outer), None
        rows = list(arguments.args) + list(arguments.kwonlyargs)
        rows += list(getattr(arguments, "posonlyargs", ()))
        rows += [row for row in (arguments.vararg, arguments.kwarg) if row]
        for row in rows:
            self.names[row.arg] = self.unknown(row)
        try:
            with self.under(FUNCTION):
                yield
        finally:
            self.names, self.outer, self.around_class = before

    def set(self, section: Section, key: str, value: Any, node: ast.AST) -> None:
        """Set an entry of a section."""
        known = self.certain(value, node)
        if self.uncertain:
            lose(section.entries.get(key), known)
        if self.outer is not None:
            section.lose_entry(key, known)
        section.set(key, known, Place(self.path, getattr(node, "lineno", 0)))

    def mention(self, node: ast.AST) -> None:
        """Remember the lines of a function or class that name KRB5CCNAME."""
        for child in ast.walk(node):
            if constant_of(child) == "KRB5CCNAME":
                what = "KRB5CCNAME is used in a function or class, which doctor does not run"
                self.note(child, what)


def constant_of(node: ast.AST) -> Any:
    """Return the value of a constant; None for another node."""
    if type(node).__name__ not in CONSTANTS:
        return None
    try:
        return ast.literal_eval(node)
    except ValueError:  # the Ellipsis of Python 3.7 and older
        return Ellipsis


def bound_names(node: ast.AST) -> Set[str]:
    """Return the names that code binds, as a statement or in a pattern."""
    names = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Name) and not isinstance(child.ctx, ast.Load):
            names.add(child.id)
        elif isinstance(child, ast.alias):
            names.add((child.asname or child.name).partition(".")[0])
        else:
            fields = [getattr(child, field, None) for field in ("name", "rest")]
            names.update(name for name in fields if isinstance(name, str))
    return names


def names_of_functions(module: ast.Module) -> FrozenSet[str]:
    """Return the names of the module that its functions and classes bind."""
    names: Set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inner = [child.names for child in ast.walk(node) if isinstance(child, ast.Global)]
            names |= bound_names(node).intersection(name for row in inner for name in row)
    return frozenset(names)
