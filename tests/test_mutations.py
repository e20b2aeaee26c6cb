"""tools/mutations.py: each mutation is another program with the same lines."""

import ast
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.version_info < (3, 9), reason="needs ast.unparse")

SOURCE = '''\
"""A docstring."""


def f(a: "int", b) -> "str":
    """Another docstring."""
    if a < b and not b:
        g(a, b)
    while a:
        break
    try:
        return "é" + g(
            "key",
            7,
        )
    except (KeyError, OSError):
        raise ValueError("a message, which stays")
    except ValueError:
        return False
'''
EXPECTED = [
    (6, "and, or", "a < b or not b"),
    (6, "comparison", "a <= b"),
    (6, "comparison", "a >= b"),
    (6, "not", "if not (a < b and (not b))"),
    (6, "not", "if a < b and b"),
    (7, "arguments", "g(b, a)"),
    (7, "call", "pass"),
    (8, "not", "while not a"),
    (9, "loop", "continue"),
    (11, "arguments", "g(7, 'key')"),
    (11, "return", "return None"),
    (11, "string", "'éX'"),
    (12, "string", "'keyX'"),
    (13, "constant", "6"),
    (13, "constant", "8"),
    (15, "except", "except (KeyError,)"),
    (15, "except", "except (OSError,)"),
    (17, "except", "except ()"),
    (18, "constant", "return True"),
]


def test_the_places():
    """Docstrings, annotations and messages stay; all else that is known is changed."""
    from tools.mutations import mutated, mutations

    found = mutations(SOURCE)
    places = sorted((mutation.line, mutation.kind) for mutation in found)
    assert places == sorted(row[:2] for row in EXPECTED)
    for line, kind, text in EXPECTED:
        same = [mutation for mutation in found if (mutation.line, mutation.kind) == (line, kind)]
        assert any(text in ast.unparse(ast.parse(mutated(SOURCE, one))) for one in same), text


def test_a_mutation_keeps_the_lines():
    """The tests of a place are known by its line."""
    from tools.mutations import mutated, mutations

    for mutation in mutations(SOURCE):
        changed = mutated(SOURCE, mutation)
        assert changed.count("\n") == SOURCE.count("\n")
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(SOURCE))
