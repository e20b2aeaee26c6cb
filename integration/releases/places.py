"""What a patch put into a module, and where: by the syntax tree."""

import ast
import importlib.util
import warnings
from typing import Any, List, NamedTuple, Set, Tuple

HELPER = "_jhpatch_kerberos"


class Decorated(NamedTuple):
    """A decorator of the helper on a method, the outermost first."""

    method: str
    above: Tuple[str, ...]
    name: str
    below: Tuple[str, ...]
    arguments: Any
    """Of the method: an ``ast.arguments``."""


class Found(NamedTuple):
    """All that a patched module has of the helper."""

    imported: str
    """The helper's module as the import resolves."""
    names: Tuple[str, ...]
    follower: str
    """The module of the statement below the import, resolved."""
    earlier: Tuple[str, ...]
    """The modules of the own package that are imported above it."""
    decorators: Tuple[Decorated, ...]
    last_calls: Tuple[str, ...]
    """Where a call ends a method: ``Class.method: on_start(self)``."""
    rest: str
    """The tree without all this, as ``ast.dump`` gives it."""


def exported(source: bytes) -> Set[str]:
    """The names that a module's ``__all__`` has."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def found(source: bytes, path: str) -> Found:
    """Takes the module at ``path`` apart; a part of the helper at any other place stays in
    the rest.
    """
    module = _tree(source, path)
    package = ".".join(path.split("/")[:-1])
    ours = [n for n, node in enumerate(module.body) if _module(node, package)[-1:] == [HELPER]]
    assert len(ours) == 1, "%d imports of the helper in %s" % (len(ours), path)
    at = ours[0]
    node: Any = module.body[at]
    names = tuple(alias.name for alias in node.names if alias.asname is None)
    top = path.split("/")[0]
    above = [_module(one, package) for one in module.body[:at]]
    follower = _module(module.body[at + 1], package)
    del module.body[at]
    decorators, calls = _taken(module, names)
    return Found(
        imported=".".join(_module(node, package)),
        names=names,
        follower=".".join(follower),
        earlier=tuple(".".join(one) for one in above if one[:1] == [top]),
        decorators=tuple(decorators),
        last_calls=tuple(calls),
        rest=ast.dump(module),
    )


def upstream(source: bytes, path: str) -> str:
    """An unpatched module, to compare with ``Found.rest``."""
    return ast.dump(_tree(source, path))


def _tree(source: bytes, path: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # upstream's own old escapes
        return ast.parse(source, path)


def _taken(module: Any, names: Tuple[str, ...]) -> Tuple[List[Decorated], List[str]]:
    decorators = []
    calls = []
    for method, node in _methods(module):
        texts = [_text(one) for one in node.decorator_list]
        for name in [text for text in texts if text in names]:
            place = texts.index(name)
            decorators.append(
                Decorated(method, tuple(texts[:place]), name, tuple(texts[place + 1 :]), node.args)
            )
        node.decorator_list = [one for one in node.decorator_list if _text(one) not in names]
        last = node.body[-1]
        if isinstance(last, ast.Expr) and _text(last.value).partition("(")[0] in names:
            calls.append("%s: %s" % (method, _text(last.value)))
            del node.body[-1]
    return decorators, calls


def _methods(module: Any) -> List[Tuple[str, Any]]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        ("%s.%s" % (above.name, node.name), node)
        for above in module.body
        if isinstance(above, ast.ClassDef)
        for node in above.body
        if isinstance(node, kinds)
    ]


def _module(node: Any, package: str) -> List[str]:
    """What an import statement names, in parts; empty for any other statement."""
    if isinstance(node, ast.ImportFrom):
        relative = "." * node.level + (node.module or "")
        return importlib.util.resolve_name(relative, package).split(".")
    if isinstance(node, ast.Import):
        return node.names[0].name.split(".")
    return []


def _text(node: Any) -> str:
    """A name, a dotted name, or a call of these; else nothing that a name equals."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return "%s.%s" % (_text(node.value), node.attr)
    if isinstance(node, ast.Call) and not node.keywords:
        return "%s(%s)" % (_text(node.func), ", ".join(_text(one) for one in node.args))
    return ast.dump(node)
