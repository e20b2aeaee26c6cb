"""Assignments in a configuration file: to names, settings, and entries of dictionaries."""

import ast
from typing import Any, Union

from jhpatch.kerberos.class_definition import ClassDefinition
from jhpatch.kerberos.hub_config_calls import CallEvaluator
from jhpatch.kerberos.hub_config_scope import COMPUTED, constant_of
from jhpatch.kerberos.hub_config_values import Entries, Imported, Section, is_section, lose

_DELETED = "is deleted"
_SECTIONS = ("KerberosTicket", "JupyterHub", "Spawner")


class Assignments(CallEvaluator):
    """An evaluator that also reads the statements that assign values, and ``del``."""

    def _run_assign(self, node: ast.Assign) -> None:
        if len(node.targets) == 1:
            self._assign(node.targets[0], self._value_for(node.targets[0], node.value))
            return
        value = self.follow(node.value)
        for target in node.targets:
            self._assign(target, self.unknown(node) if type(value) in (list, set) else value)

    def _run_annassign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._assign(node.target, self._value_for(node.target, node.value))

    def _value_for(self, target: ast.AST, source: ast.AST) -> Any:
        """Return the value for a target; for a tuple of targets, a tuple of values."""
        kinds = (ast.Tuple, ast.List)
        if isinstance(target, kinds) and isinstance(source, kinds):
            rows = list(zip(target.elts, source.elts))
            starred = [row for row in target.elts + source.elts if isinstance(row, ast.Starred)]
            if len(target.elts) == len(source.elts) and not starred:
                return tuple(self._value_for(*row) for row in rows)
        return self.follow(source)

    def _run_augassign(self, node: ast.AugAssign) -> None:
        target: Any = node.target
        owner = self.follow(target)
        if isinstance(node.op, ast.BitOr) and isinstance(owner, Section):
            self.forget(owner, node, "%s is changed by |=" % owner)
        elif isinstance(node.op, ast.BitOr) and isinstance(owner, Entries):  # changed in place
            why = self.unknown(node, self.uncertain or COMPUTED)
            added = Entries()
            self.spread(added, node.value, why)
            if self.uncertain:
                self.forget(owner, node, self.uncertain)
            else:
                owner.update(added, why)
        else:
            operation = ast.copy_location(ast.BinOp(target, node.op, node.value), node)
            self._assign(target, self.evaluate(operation))

    def _assign(self, target: Any, value: Any) -> None:
        if isinstance(target, ast.Name):
            self.bind(target.id, value, target)
            return
        if isinstance(target, (ast.Tuple, ast.List)):
            parts, values = target.elts, [self.unknown(target)] * len(target.elts)
            is_plain = not any(isinstance(part, ast.Starred) for part in parts)
            if type(value) in (tuple, list) and len(value) == len(parts) and is_plain:
                values = list(value)
            for part, one in zip(parts, values):
                self._assign(part, one)
            return
        if isinstance(target, ast.Starred):
            self._assign(target.value, self.unknown(target))
            return
        owner = self.follow(target.value)
        is_item = isinstance(target, ast.Subscript)
        key = self.key(target) if is_item else target.attr
        if isinstance(owner, Section) and type(key) is str:
            self._set_entry(owner, key, value, target)
            return
        self.lose(value, target)
        if isinstance(owner, Section):
            self.forget(owner, target, "the name in %s[…] is computed" % owner)
        elif isinstance(owner, Entries) and owner.is_update and is_item:
            self.note(target, "the dictionary has no value yet, so the hub does not start")
        elif isinstance(owner, Entries) and is_item and self.outer is None:
            owner.set(key, self.certain(value, target), self.unknown(target))
        elif isinstance(owner, Entries):
            self.lose(owner, target)
        elif isinstance(owner, (Imported, ClassDefinition)) and not is_item:
            self._note_change(owner, target)
        else:
            self._warn_of_settings(target)

    def _eval_call(self, node: ast.Call) -> Any:
        """Read ``setattr(OWNER, NAME, VALUE)`` as an assignment."""
        is_name = isinstance(node.func, ast.Name) and len(node.args) == 3
        if not is_name or self.follow(node.func) != Imported("builtins.setattr"):
            return super()._eval_call(node)
        name = self.follow(node.args[1])
        if type(name) is str:
            target = ast.Attribute(node.args[0], name, ast.Store())
            self._assign(ast.copy_location(target, node), self.follow(node.args[2]))
            return None
        owner = self.follow(node.args[0])
        if isinstance(owner, (Imported, ClassDefinition)):
            self._note_change(owner, node)
        return super()._eval_call(node)

    def _note_change(self, owner: Union[Imported, ClassDefinition], node: ast.AST) -> None:
        self.note(node, "the class or module %s is changed" % owner.name)

    def _set_entry(self, section: Section, key: str, value: Any, node: ast.AST) -> None:
        old = section.get(key) if is_section(key) else None
        if isinstance(value, Section) and value is old:
            return
        if isinstance(value, Section) or (is_section(key) and not section.name):
            self.lose(value, node)
            name = "%s.%s is replaced" % (section, key)
            why = self.note(node, name)
            section.forget(why) if old is None else lose(old, why)
        else:
            self.set(section, key, value, node)

    def _warn_of_settings(self, target: ast.AST) -> None:
        """Remember an assignment to an unknown object if it looks like a setting."""
        for node in ast.walk(target):
            name = getattr(node, "attr", None) or constant_of(node)
            if type(name) is str and name in _SECTIONS:
                what = "%s belongs to an object that may not be the configuration"
                self.note(target, what % name)

    def _run_delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.names[target.id] = self.unknown(target)
                continue
            owner: Any = self.follow(getattr(target, "value", target))
            key = self.key(target) if isinstance(target, ast.Subscript) else None
            key = target.attr if isinstance(target, ast.Attribute) else key
            if isinstance(owner, Section) and type(key) is str and not is_section(key):
                self.set(owner, key, self.unknown(target, _DELETED), target)
            elif isinstance(owner, Section):
                why = self.note(target, "a part of %s is deleted" % owner)
                lose(owner.get(key) if type(key) is str else owner, why)
            else:
                self.forget(owner, target, _DELETED)
