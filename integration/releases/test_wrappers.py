"""The check of a release finds a wrapper that its method's callers would break."""

import ast
import functools

import pytest

from integration.releases import wrappers


def arguments(text):
    """The arguments of a method, as the syntax tree has them."""
    return ast.parse("def method(%s): pass" % text).body[0].args


@pytest.mark.parametrize("name", sorted(wrappers.WRAPPERS))
@pytest.mark.parametrize(
    "text",
    [
        "self, one, two",
        "self, one, two, *, failed=False",
        "self, one, two, three: int = 3, *more, failed, **named",
    ],
)
def test_each_wrapper_passes_on_what_a_later_release_may_add(name, text):
    """By position, by name, and what is left out."""
    if name in ("on_spawn", "on_stop"):
        text = text.replace("one", "user").replace("two", "spawner")
    if name == "on_login":
        text = text.replace("one", "handler")
    wrappers.assert_passed_on(name, arguments(text))


def takes_less(method):
    """A wrapper with the arguments of an older release."""
    return functools.wraps(method)(lambda self, user, spawner: method(self, user, spawner))


def drops(method):
    """A wrapper that takes everything, and passes on what it knows."""
    return functools.wraps(method)(
        lambda self, user, spawner, **named: method(self, user, spawner)
    )


@pytest.mark.parametrize("wrapper, error", [(takes_less, TypeError), (drops, AssertionError)])
def test_a_wrapper_that_loses_an_argument_is_found(monkeypatch, wrapper, error):
    """Whether it raises, or the method never sees the argument."""
    monkeypatch.setitem(wrappers.WRAPPERS, "on_stop", wrapper)
    wrappers.assert_passed_on("on_stop", arguments("self, user, spawner"))
    with pytest.raises(error):
        wrappers.assert_passed_on("on_stop", arguments("self, user, spawner, *, failed=False"))
