"""Class definitions, read from their syntax tree."""

import ast

import pytest

from jhpatch.kerberos.class_definition import attributes_of, methods_of

TEXT = '''
class A(B):
    """A text."""
    x = 1
    y: int = 2
    authenticate = wrapped(B.authenticate)

    def plain(self):
        return self.other()

    @gen.coroutine
    def decorated(self):
        def inner():
            return super(A, self).decorated()
        return inner()

    async def by_name(self):
        await module.B.by_name(self)

    if x:
        def conditional(self): pass
'''


def test_methods_and_whom_they_call():
    """A call by super() or by the name of a class is one of the base class."""
    methods = methods_of(ast.parse(TEXT).body[0])
    assert set(methods) == {"plain", "decorated", "by_name"}
    assert methods["plain"].own_calls == {"other"} and not methods["plain"].calls
    assert "decorated" in methods["decorated"].calls
    assert "by_name" in methods["by_name"].calls
    assert methods["plain"].line == 8


@pytest.mark.parametrize("call", ["f(super())", "f(x=super(A, self))", "return super()"])
def test_super_that_other_code_has(call):
    """It may call any method of the base class."""
    text = "class A(B):\n    def a(self):\n        %s\n        return self.b(1)\n"
    method = methods_of(ast.parse(text % call).body[0])["a"]
    assert method.passes_super and method.runs("any", ())


def test_other_names():
    """Values, and functions that may not be defined."""
    names = attributes_of(ast.parse(TEXT).body[0])
    assert names == {"x", "y", "authenticate", "conditional"}
