"""The value of an expression in a configuration file: computed if it is certain, never run.

The evaluator follows sections and dictionaries through names and nested entries. One that other
code can hold (a list, a function, a class, a conditional value) is lost: all of it is unknown.
"""

import ast
import builtins
from typing import Any, Callable

from jhpatch.kerberos import hub_config_text
from jhpatch.kerberos.hub_config import Function, Unread
from jhpatch.kerberos.hub_config_scope import (
    CONDITION,
    CONSTANTS,
    LOOP,
    NOT_FOLLOWED,
    Scope,
    bound_names,
    constant_of,
)
from jhpatch.kerberos.hub_config_values import (
    Builtin,
    Entries,
    Imported,
    Section,
    is_constant,
    is_section,
    lose,
)

_OTHER_CODE = ("exec", "eval", "globals", "locals", "vars", "__builtins__")
_METHODS = frozenset((*dir(dict), "merge", "collisions", "has_key"))
"""The attributes of a section that are not entries."""


class Evaluator(Scope):
    """Computes the values of expressions from the names and settings so far."""

    def evaluate(self, node: ast.AST, what: str = NOT_FOLLOWED) -> Any:
        """Return the value of an expression, which other code can hold from now on."""
        value = self.follow(node)
        self.lose(value, node, what)
        return value

    def follow(self, node: ast.AST) -> Any:
        """Return the value of an expression; an ``Unread`` if it is not known.

        Changes that the expression makes to settings are applied. The caller follows a section or
        a dictionary.
        """
        kind = type(node).__name__
        if kind in CONSTANTS:
            return constant_of(node)
        method: Callable[[Any], Any] = getattr(self, "_eval_" + kind.lower(), self._other)
        value = method(node)
        if type(value) in (list, set) and kind == "Name":
            return self.unknown(node)  # code may have changed it since
        return value

    def _other(self, node: ast.AST) -> Any:
        for child in ast.iter_child_nodes(node):
            self.evaluate(child)
        return self.unknown(node)

    def _eval_name(self, node: ast.Name) -> Any:
        name = node.id
        if self.outer is not None and self.names.get(name) is self.outer.get(name):
            self.shared.add(name)
        if name in self.names:
            return self.unknown(node) if name in self.global_names else self.names[name]
        if name in _OTHER_CODE:
            self._run_other_code(name, node)
        return Imported("builtins." + name) if hasattr(builtins, name) else self._other(node)

    def _run_other_code(self, name: str, node: ast.AST) -> None:
        """Treat all names and settings as unknown: such code can change any of them."""
        keeps = name not in ("exec", "eval") or self.outer is not None
        self.config.forget(self.note(node, "%s() can change any setting" % name), keeps)
        for bound, value in self.names.items():
            if not isinstance(value, (Section, Builtin)):
                self.unbind(bound, self.unknown(node), node)

    def _eval_attribute(self, node: ast.Attribute) -> Any:
        return self.member(self.follow(node.value), node.attr, node)

    def member(self, owner: Any, name: str, node: ast.AST) -> Any:
        """Return an attribute of a value."""
        if isinstance(owner, Section) and not name.startswith("_") and name not in _METHODS:
            return self.item(owner, name, node)
        is_builtin = owner == Imported("builtins") and name in _OTHER_CODE
        if is_builtin or name in ("f_globals", "__globals__", "__builtins__"):
            self._run_other_code(name, node)
        if isinstance(owner, Imported):
            return Imported("%s.%s" % (owner.name, name))
        self.lose(owner, node)
        return self.unknown(node)

    def item(self, owner: Any, key: Any, node: ast.AST) -> Any:
        """Return an entry of a section or a dictionary; a list is unknown: code can change it."""
        value = owner.get(key) if isinstance(owner, Section) else owner.get(key, None)
        if value is None and isinstance(owner, Entries):
            return owner.get(key, self.unknown(node))
        if isinstance(owner, Section) and self.outer is not None and not is_section(key):
            owner.lose_entry(key, self.unknown(node, "is used in a function"))
            return self.unknown(node)
        if type(value) in (list, set):
            value = self.unknown(node)
            if isinstance(owner, Section):
                self.set(owner, key, value, node)
            else:
                owner.set(key, value, value)
        return value

    def _eval_subscript(self, node: ast.Subscript) -> Any:
        owner, key = self.follow(node.value), self.key(node)
        if isinstance(owner, Section):
            if type(key) is str:
                return self.item(owner, key, node)
            if not owner.name:
                lose(owner, self.note(node, "the name in c[…] is computed"))
        if isinstance(owner, Entries) and is_constant(key):
            return self.item(owner, key, node)
        if isinstance(owner, (Section, Entries)):
            owner.lose_items(self.unknown(node))
        if type(owner) in (list, tuple) and type(key) is int and -len(owner) <= key < len(owner):
            return owner[key]
        return self.unknown(node)

    def key(self, node: ast.Subscript) -> Any:
        """Return the key of a subscript; Python 3.8 and older wrap it in an Index."""
        index: Any = node.slice
        return self.evaluate(index.value if type(index).__name__ == "Index" else index)

    def _eval_dict(self, node: ast.Dict) -> Any:
        entries = Entries()
        for key, value in zip(node.keys, node.values):
            if key is None:
                self.spread(entries, value, self.unknown(value))
            else:
                entries.set(self.evaluate(key), self.part(value), self.unknown(key))
        return entries

    def part(self, node: ast.AST) -> Any:
        """Return a value of a dictionary; follow a nested one that no other code can hold."""
        is_new = isinstance(node, ast.Dict) or (
            isinstance(node, ast.Call) and getattr(node.func, "id", "") == "dict"
        )
        return self.follow(node) if is_new else self.evaluate(node)

    def spread(self, entries: Entries, node: ast.AST, why: Unread) -> None:
        """Add the entries of another dictionary, which then shares its nested values."""
        other = self.follow(node)
        if isinstance(other, (Section, Entries)) and not isinstance(node, ast.Dict):
            other.lose_items(self.unknown(node))
        entries.update(other, why)

    def _eval_list(self, node: Any) -> Any:
        values = [self.evaluate(item) for item in node.elts]
        if not all(is_constant(value) and type(value) not in (list, set) for value in values):
            return self.unknown(node)
        return {"List": list, "Tuple": tuple}.get(type(node).__name__, tuple)(values)

    _eval_tuple = _eval_list

    def _eval_joinedstr(self, node: ast.JoinedStr) -> Any:
        parts = [self.evaluate(part) for part in node.values]
        return self._or_unknown(hub_config_text.joined(parts), node)

    def _eval_formattedvalue(self, node: ast.FormattedValue) -> Any:
        value = self.follow(node.value)
        plain = node.conversion in (-1, ord("s")) and node.format_spec is None
        return value if plain and is_constant(value) else self.unknown(node)

    def _eval_binop(self, node: ast.BinOp) -> Any:
        left, right = self.evaluate(node.left), self.evaluate(node.right)
        operator = type(node.op).__name__
        return self._or_unknown(hub_config_text.combined(operator, left, right), node)

    def _or_unknown(self, value: Any, node: ast.AST) -> Any:
        return self.unknown(node) if value is None else value

    def _eval_unaryop(self, node: ast.UnaryOp) -> Any:
        value = self.follow(node.operand)
        if isinstance(node.op, ast.Not) and is_constant(value):
            return not value
        if isinstance(node.op, ast.USub) and type(value) in (int, float):
            return -value
        return self.unknown(node)

    def _eval_boolop(self, node: ast.BoolOp) -> Any:
        ends = isinstance(node.op, ast.Or)
        for number, operand in enumerate(node.values):
            value = self.evaluate(operand)
            if not is_constant(value):
                with self.under(CONDITION):
                    for later in node.values[number + 1 :]:
                        self.evaluate(later)
                return self.unknown(node)
            if bool(value) == ends:
                break
        return value

    def _eval_compare(self, node: ast.Compare) -> Any:
        values = [self.follow(node.left), self.follow(node.comparators[0])]
        with self.under(CONDITION):
            values += map(self.follow, node.comparators[1:])
        if len(values) != 2 or not all(map(is_constant, values)):
            return self.unknown(node)
        result = hub_config_text.compared(type(node.ops[0]).__name__, *values)
        return self._or_unknown(result, node)

    def _eval_ifexp(self, node: ast.IfExp) -> Any:
        test = self.follow(node.test)
        if is_constant(test):
            return self.follow(node.body if test else node.orelse)
        with self.under(CONDITION):
            self.evaluate(node.body)
            self.evaluate(node.orelse)
        return self.unknown(node, CONDITION)

    def defaults(self, arguments: ast.arguments) -> None:
        """Read the default values of a function."""
        for default in [*arguments.defaults, *filter(None, arguments.kw_defaults)]:
            self.evaluate(default)

    def _eval_lambda(self, node: ast.Lambda) -> Any:
        self.defaults(node.args)
        self.mention(node)
        with self.function(node.args):
            self.evaluate(node.body)
        return Function("a lambda", node.lineno)

    def _eval_namedexpr(self, node: Any) -> Any:
        value = self.follow(node.value)
        if type(value) in (list, set):
            value = self.unknown(node)
        self.bind(node.target.id, self.certain(value, node), node)
        return value

    def _eval_comprehension(self, node: Any) -> Any:
        before, self.names = self.names, dict(self.names)
        with self.under(LOOP):
            for row in node.generators:
                self.follow(row.iter)
                for name in ast.walk(row.target):
                    if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                        self.names[name.id] = self.unknown(name)
                    elif isinstance(name, (ast.Attribute, ast.Subscript)):
                        self.evaluate(name.value)
                for test in row.ifs:
                    self.follow(test)
            for field in ("key", "value", "elt"):
                if hasattr(node, field):
                    self.evaluate(getattr(node, field))
        self.names = before
        for child in ast.walk(node):
            if type(child).__name__ == "NamedExpr":
                for bound in bound_names(child):
                    self.unbind(bound, self.unknown(node, LOOP), node)
        return self.unknown(node)

    _eval_listcomp = _eval_setcomp = _eval_dictcomp = _eval_generatorexp = _eval_comprehension
