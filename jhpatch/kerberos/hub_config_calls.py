"""Calls in a configuration file: the few whose effect on the settings is certain."""

import ast
import posixpath
from typing import Any, Callable, Dict, List, Optional

from jhpatch.kerberos import hub_config_text
from jhpatch.kerberos.hub_config_expressions import Evaluator
from jhpatch.kerberos.hub_config_values import (
    Builtin,
    Entries,
    Imported,
    Section,
    is_constant,
    is_section,
    lose,
)

_CONFIG = ("traitlets.config.Config", "traitlets.config.loader.Config")
_HARMLESS = ("print", "len", "str", "repr", "bool", "isinstance", "type", "sorted", "list")
_PATHS: Dict[str, Callable[..., str]] = {
    "os.path.join": posixpath.join,
    "os.path.dirname": posixpath.dirname,
    "os.path.basename": posixpath.basename,
    "os.path.normpath": posixpath.normpath,
    "os.path.abspath": posixpath.normpath,
}
_EXITS = ("sys.exit", "os._exit", "builtins.exit", "builtins.quit")
_NO_CHANGE = ("copy", "keys", "items", "values", "get", "has_key", "collisions", "to_dict")
_SHARING = ("copy", "items", "values")
"""Methods whose result contains the sections and dictionaries of their object."""


class CallEvaluator(Evaluator):
    """An evaluator that knows the methods of traitlets and a few pure functions."""

    def _eval_call(self, node: ast.Call) -> Any:
        owner = None
        if isinstance(node.func, ast.Attribute):
            owner, name = self.follow(node.func.value), node.func.attr
            if isinstance(owner, Section):
                return self._section_method(owner, name, node)
            if isinstance(owner, Entries):
                return self._entries_method(owner, name, node)
            function = self.member(owner, name, node.func)
        else:
            function = self.follow(node.func)
        if isinstance(function, Builtin):
            if function.name == "get_config":
                return self.config
            return self._load_subconfig(node)
        called = function.name if isinstance(function, Imported) else ""
        if called == "builtins.dict":
            return self._new_entries(node)
        if called in _CONFIG:
            section, entries = Section(), self._argument(node)
            self._set_entries(section, entries, node)
            return section if entries.rest is None else self.unknown(node)
        values = self._arguments(node, called)
        if called in _EXITS:
            self.end(node, "%s()" % called.replace("builtins.", ""))
        text = None
        if type(owner) is str and isinstance(node.func, ast.Attribute) and not node.keywords:
            text = hub_config_text.formatted(owner, values) if name == "format" else None
        elif called in _PATHS and not node.keywords and all(type(v) is str for v in values):
            is_known = called != "os.path.abspath" or (values[:1] and values[0].startswith("/"))
            text = _PATHS[called](*values) if values and is_known else None
        return self.unknown(node) if text is None else text

    def _arguments(self, node: ast.Call, called: str) -> List[Any]:
        """Return the arguments of a function, which may change or store settings among them."""
        passed = "is passed to a function"
        for keyword in node.keywords:
            self.evaluate(keyword.value, passed)
        if called.startswith("builtins.") and called[9:] in _HARMLESS:
            return [self.follow(value) for value in node.args]
        return [self.evaluate(value, passed) for value in node.args]

    def _new_entries(self, node: ast.Call) -> Entries:
        """Return the dictionary that dict(…) makes from its arguments."""
        entries = Entries()
        for value in node.args:
            self.spread(entries, value, self.unknown(node))
        for keyword in node.keywords:
            why = self.unknown(keyword.value)
            if keyword.arg is None:
                self.spread(entries, keyword.value, why)
            else:
                entries.set(keyword.arg, self.part(keyword.value), why)
        return entries

    def _argument(self, node: ast.Call) -> Any:
        """Return the only argument of a call, or the dictionary that its arguments make."""
        if len(node.args) != 1 or node.keywords:
            return self._new_entries(node)
        value = self.follow(node.args[0])
        if isinstance(value, Section):
            return value
        if isinstance(value, Entries):
            if not isinstance(node.args[0], ast.Dict):
                value.lose_items(self.unknown(node))  # both then share them
            return value
        entries = Entries()
        entries.update(value, self.unknown(node))
        return entries

    def _load_subconfig(self, node: ast.Call) -> None:
        arguments = {keyword.arg: self.evaluate(keyword.value) for keyword in node.keywords}
        arguments.update(zip(("fname", "path"), (self.evaluate(value) for value in node.args)))
        name, directory = arguments.get("fname"), arguments.get("path")
        if type(name) is not str or type(directory) not in (str, type(None)):
            self.forget(self.config, node, "the path in load_subconfig() is computed")
        else:
            self._merge_file(name, directory, node)

    def _merge_file(self, name: str, directory: Optional[str], node: ast.Call) -> None:
        loaded, call = self._load(name, directory), "load_subconfig(%r)" % name
        phrase = self.uncertain.replace("is set ", "").replace("function that", "function, which")
        if isinstance(loaded, str) and loaded.startswith("there is no"):
            self.note(node, "%s: %s" % (call, loaded))
        elif isinstance(loaded, str):
            what = "%s %s" % (call, phrase) if phrase else "%s: %s" % (call, loaded)
            self.forget(self.config, node, what)
        elif phrase:
            why = self.note(node, "%s %s" % (call, phrase))
            self.config.doubt(loaded, why, self.outer is not None)
        else:
            self.config.merge(loaded)
            if directory is None and not posixpath.isabs(name):
                what = (
                    "is read from the directory of this file; the hub reads it from its working "
                    "directory"
                )
                self.note(node, "%s %s" % (call, what))

    def _section_method(self, section: Section, name: str, node: ast.Call) -> Any:
        if name in ("update", "merge") and not (name == "update" and not section.name):
            return self._update_section(section, name, node)
        values = self._arguments(node, "")
        if name in ("get", "setdefault") and values and type(values[0]) is str:
            key, default = values[0], (values[1:] or [None])[0]
            if key in section.entries:
                return self.item(section, key, node)
            if name == "get":
                return default if section.rest is None else section.rest
            if not is_section(key):
                default = self.certain(default, node) if section.rest is None else section.rest
                self.set(section, key, default, node)
                return default
        what = "%s.%s()" % (section, name)
        if name in _SHARING or name == "get":  # of a computed name
            has_sections = any(isinstance(one, Section) for one in section.entries.values())
            section.lose_items(self.note(node, what) if has_sections else self.unknown(node))
        elif name not in _NO_CHANGE and section.name:
            self.forget(section, node, what)
        elif name not in _NO_CHANGE:
            section.forget(self.note(node, what), is_lost=True)
        return self.unknown(node)

    def _update_section(self, section: Section, name: str, node: ast.Call) -> Any:
        """Carry out ``c.A.update({…})`` and ``c.merge(Config({…}))``."""
        other = self._argument(node)
        if isinstance(other, Section) and not self.uncertain:
            section.merge(other)
        elif isinstance(other, Section) or not self._set_entries(section, other, node):
            self.forget(section, node, "the effect of %s.%s() is unknown" % (section, name))
        return None

    def _set_entries(self, section: Section, entries: Entries, node: ast.AST) -> bool:
        """Set the entries of a dictionary; return whether all of them are known."""
        certain = entries.rest is None
        for key, value in entries.items.items():
            if type(key) is not str:
                certain = False
            elif not is_section(key) or section.name:
                self.set(section, key, value, node)
            elif isinstance(value, Entries) and key not in section.entries:
                certain = self._set_entries(section.get(key), value, node) and certain
            else:  # traitlets' releases differ in what a plain dictionary does to a section
                certain = False
        return certain

    def _entries_method(self, entries: Entries, name: str, node: ast.Call) -> Any:
        why = self.unknown(node, self.uncertain or "is changed by %s()" % name)
        if self.outer is not None and name not in _NO_CHANGE:
            lose(entries, why)
        if name == "update":
            added = self._new_entries(node)
            if self.uncertain:
                added.items = dict.fromkeys(added.items, why)
            entries.update(added, why)
            return None
        values = self._arguments(node, "")
        key, default = (*values, None, None)[:2]
        if name == "get" and is_constant(key):
            missing = default if entries.rest is None and is_constant(default) else why
            has = entries.get(key, missing) is not missing
            return self.item(entries, key, node) if has else missing
        if name == "setdefault" and is_constant(key) and not entries.is_update:
            if key not in entries.items:
                entries.set(key, self.certain(why if entries.rest else default, node), why)
            return entries.get(key, why)
        if name in _SHARING or name == "get":  # of a computed name
            entries.lose_items(why)
        if name == "copy" and not entries.is_update:
            copy = Entries()
            copy.update(entries, why)
            return copy
        if name not in _NO_CHANGE:
            entries.forget(why)
        return self.unknown(node)
