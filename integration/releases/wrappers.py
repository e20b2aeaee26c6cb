"""Whether a wrapper of the helper passes on what callers give its method: both are called."""

import ast
import asyncio
import copy
import inspect
import logging
import sys
from typing import Any, Callable, ClassVar, Dict, Iterator, List, Tuple
from unittest import mock

from jhpatch.deployed.kerberos import hub_face, server_face

WRAPPERS: Dict[str, Callable[..., Any]] = {
    "on_login": hub_face.on_login,
    "on_spawn": hub_face.on_spawn,
    "on_stop": hub_face.on_stop,
    "on_open": server_face.on_open,
    "on_save": server_face.on_save,
}


class _Value:
    """An argument. As an authenticator, a user or a handler, it has no tickets."""

    spawners: ClassVar[Dict[str, Any]] = {}
    log = logging.getLogger(__name__)


def assert_passed_on(name: str, arguments: Any) -> None:
    """A method with these arguments (``ast.arguments``) gets each of them through a wrapper."""
    method = _stand_in(arguments)
    wrapper = WRAPPERS[name](method)
    for given, named in _calls(arguments):
        got = _result(wrapper, given, named)
        assert got == method(*given, **named), "%s does not pass on what it is given" % name


def _stand_in(arguments: Any) -> Callable[..., Any]:
    """A method that returns its arguments; defaults are None, and annotations are left out."""
    module: Any = ast.parse("def method():\n    return locals()\n")
    bare = copy.deepcopy(arguments)
    for node in ast.walk(bare):
        if isinstance(node, ast.arg):
            node.annotation = None
    nothing = ast.parse("None", mode="eval").body
    bare.defaults = [nothing for _ in bare.defaults]
    bare.kw_defaults = [node and nothing for node in bare.kw_defaults]
    module.body[0].args = bare
    scope: Dict[str, Any] = {}
    exec(compile(module, "<stand-in>", "exec"), scope)
    method: Callable[..., Any] = scope["method"]
    return method


def _calls(arguments: Any) -> Iterator[Tuple[List[_Value], Dict[str, _Value]]]:
    """All arguments by position, all by name, and those without a default alone."""
    first = [one.arg for one in getattr(arguments, "posonlyargs", [])]
    names = first + [one.arg for one in arguments.args]
    by_position = max(1, len(first))  # self has no name for a caller
    only_named = {one.arg: _Value() for one in arguments.kwonlyargs}
    more = [_Value()] if arguments.vararg else []
    others = {"one_more": _Value()} if arguments.kwarg else {}
    yield [_Value() for _ in names] + more, {**only_named, **others}
    named = {name: _Value() for name in names[by_position:]}
    yield [_Value() for _ in names[:by_position]], {**named, **only_named, **others}
    required = len(names) - len(arguments.defaults)
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults)
    needed = {one.arg: _Value() for one, default in pairs if default is None}
    yield [_Value() for _ in names[:required]], needed


def _result(wrapper: Callable[..., Any], given: List[_Value], named: Dict[str, _Value]) -> Any:
    async def run() -> Any:
        result = wrapper(*given, **named)
        return await result if inspect.isawaitable(result) else result

    loop = asyncio.new_event_loop()
    try:
        # None: the process has no renewer, and starts none.
        with mock.patch.dict(sys.modules, {server_face._KEY: None}):  # type: ignore[dict-item]
            return loop.run_until_complete(run())
    finally:
        loop.close()
