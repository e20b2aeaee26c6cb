"""The settings of a configuration file, read from its syntax tree; the file is never run.

The reader follows names and sections as Python and traitlets do. What is not certain (code under
a condition, in a loop or in a function; computed values) becomes an ``Unread`` with its line.
"""

import ast
from typing import Any, Callable, Dict, List, Sequence

from jhpatch.kerberos.class_definition import ClassDefinition, attributes_of, methods_of
from jhpatch.kerberos.hub_config import Function, Unread
from jhpatch.kerberos.hub_config_assignments import Assignments
from jhpatch.kerberos.hub_config_scope import (
    CONDITION,
    LOOP,
    Load,
    bound_names,
    names_of_functions,
)
from jhpatch.kerberos.hub_config_values import (
    Builtin,
    Imported,
    Section,
    is_constant,
)
from jhpatch.namedtuple import NamedTuple

_TRY = "is set in a try statement"


class Source(NamedTuple):
    """What one configuration file sets, and the code in it that is not evaluated."""

    config: Section
    unread: Sequence[Unread]


def read_source(data: bytes, path: str, load: Load) -> Source:
    """Read a configuration file. Raises SyntaxError, ValueError, RecursionError, MemoryError.

    ``load`` reads the files that its calls of ``load_subconfig`` name.
    """
    reader = _Reader(path, load)
    reader.run_module(ast.parse(data))
    return Source(reader.config, reader.unread)


class _Reader(Assignments):
    def run_module(self, module: ast.Module) -> None:
        self.global_names = names_of_functions(module)
        for statement in module.body:
            before = self.names
            try:
                self.run([statement])
            except RecursionError:
                self.names = before
                self.config.forget(self.note(statement, "the code is nested too deeply"), True)

    def run(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            if self.has_ended:
                break
            name = "_run_" + type(statement).__name__.lower()
            method: Callable[[Any], None] = getattr(self, name, self._run_other)
            method(statement)

    def _run_other(self, node: ast.AST) -> None:
        """Read the expressions of a statement that sets nothing by itself."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.evaluate(child)

    def _run_expr(self, node: ast.Expr) -> None:
        self.follow(node.value)

    def _run_raise(self, node: ast.Raise) -> None:
        self._run_other(node)
        self.end(node, "raise")

    def _run_assert(self, node: ast.Assert) -> None:
        self.follow(node.test)  # Python evaluates the message only if the hub does not start

    # Other statements that bind names.

    def _run_import(self, node: ast.Import) -> None:
        for alias in node.names:
            name = alias.name if alias.asname else alias.name.partition(".")[0]
            self.bind(alias.asname or name, Imported(name), node)

    def _run_importfrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name != "*":
                name = "%s%s.%s" % ("." * (node.level or 0), node.module, alias.name)
                self.names[alias.asname or alias.name] = Imported(name)
                continue
            self.note(node, "from %s import *" % node.module)
            why = self.unknown(node, "may come from a star import")
            for name, value in self.names.items():
                if not isinstance(value, (Section, Builtin)):
                    self.unbind(name, why, node)

    def _run_functiondef(self, node: Any) -> None:
        for decorator in node.decorator_list:
            self.evaluate(decorator)
        self.defaults(node.args)
        self.mention(node)
        with self.function(node.args):
            self.run(node.body)
        is_plain = not node.decorator_list
        self.names[node.name] = (
            Function(node.name, node.lineno) if is_plain else self.unknown(node)
        )

    _run_asyncfunctiondef = _run_functiondef

    def _run_classdef(self, node: ast.ClassDef) -> None:
        self.mention(node)
        bases = [self.evaluate(base) for base in node.bases]
        for other in [*node.decorator_list, *(keyword.value for keyword in node.keywords)]:
            self.evaluate(other)
        before, around = self.names, self.around_class
        self.around_class = before if around is None else around
        self.names = dict(self.around_class)
        self.run(node.body)
        for name in bound_names(node):
            if self.names.get(name) is not before.get(name):
                self.lose(self.names.get(name), node)
        self.names, self.around_class = before, around
        if node.decorator_list or node.keywords:
            bases.append(self.unknown(node))
        kinds = (Imported, ClassDefinition)
        self.names[node.name] = ClassDefinition(
            node.name,
            tuple(base if isinstance(base, kinds) else self.unknown(node) for base in bases),
            methods_of(node),
            attributes_of(node),
            self.unknown(node).place,
        )

    # Statements that contain statements.

    def _run_if(self, node: ast.If) -> None:
        test = self.follow(node.test)
        if is_constant(test):
            self.run(node.body if test else node.orelse)
        else:
            self._run_branches([node.body, node.orelse], CONDITION)

    def _run_for(self, node: Any) -> None:
        self.follow(node.iter)
        self._forget(node)
        with self.under(LOOP):
            self._assign(node.target, self.unknown(node, LOOP))
        self._run_branches([node.body, node.orelse], LOOP)

    _run_asyncfor = _run_for

    def _run_while(self, node: ast.While) -> None:
        self.follow(node.test)
        self._forget(node)
        self._run_branches([node.body, node.orelse], LOOP)

    def _run_try(self, node: Any) -> None:
        handlers = [handler.body for handler in node.handlers]
        for handler in node.handlers:
            if handler.name:
                self.unbind(handler.name, self.unknown(handler), handler)
        self._run_branches([node.body + node.orelse, *handlers], _TRY)
        self.run(node.finalbody)

    _run_trystar = _run_try

    def _run_with(self, node: Any) -> None:
        for item in node.items:
            self.evaluate(item.context_expr)
            if item.optional_vars is not None:
                self._assign(item.optional_vars, self.unknown(node))
        self._run_branches([node.body], "is set in a with statement")

    _run_asyncwith = _run_with

    def _run_match(self, node: Any) -> None:
        self.evaluate(node.subject)
        self._forget(node)
        self._run_branches([case.body for case in node.cases], CONDITION)

    def _run_branches(self, branches: Sequence[Sequence[ast.stmt]], why: str) -> None:
        """Read statements that may not run; a name that they bind is unknown after them."""
        before = self.names
        ends: List[Dict[str, Any]] = []
        for branch in branches:
            self.names = dict(before)
            with self.under(why):
                self.run(branch)
            ends.append(self.names)
        self.names = dict(before)
        for name in {name for end in ends for name in end}:
            values = [end.get(name) for end in [before, *ends]]
            if any(value is not values[0] for value in values):
                line = next(node for branch in branches for node in branch)
                for value in values:
                    self.lose(value, line)
                self.names[name] = self.unknown(line, why)

    def _forget(self, node: ast.AST) -> None:
        """Treat the names that a loop or a pattern binds as unknown: it can bind them again."""
        for name in bound_names(node):
            self.unbind(name, self.unknown(node, LOOP), node)
