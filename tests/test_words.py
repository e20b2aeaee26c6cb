"""The words of the program and of its docstrings and comments: the list of tools/words.py."""

import ast
import importlib.util
import os

import pytest

from testing import ROOT

PACKAGE = os.path.join(ROOT, "jhpatch")


def modules():
    """The paths of the modules whose texts are checked, from the package."""
    for directory, directories, names in os.walk(PACKAGE):
        directories[:] = [name for name in directories if name not in ("__pycache__", "patches")]
        for name in names:
            path = os.path.relpath(os.path.join(directory, name), PACKAGE)
            if name.endswith(".py"):
                yield path


def texts(path):
    """Yield the line and the value of each string literal with a blank, but for docstrings."""
    with open(os.path.join(PACKAGE, path), encoding="utf-8") as file:
        tree = ast.parse(file.read())
    nodes = list(ast.walk(tree))
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        kind = type(node).__name__  # Str before Python 3.8
        value = node.s if kind == "Str" else node.value if kind == "Constant" else None
        if isinstance(value, str) and id(node) not in docstrings and " " in value:
            yield node.lineno, value


def words():
    """The tool with the list."""
    spec = importlib.util.spec_from_file_location("words", os.path.join(ROOT, "tools/words.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", sorted(modules()))
def test_no_text_has_a_banned_word(path):
    """Messages, findings and help texts use the terms of docs/glossary.md."""
    banned = words().banned
    assert not [
        (line, found, better, value)
        for line, value in texts(path)
        for _, found, better in banned(value.replace("keep-alive", ""))  # HTTP's
    ]


@pytest.mark.parametrize(
    "source, line",
    [
        ('"""A keeper."""', 1),
        ('def f():\n    """One.\n\n    A keeper.\n    """\n', 4),
        ('A = 1\n"""The keeper\'s number."""\n', 2),
        ("A = 1  # a keeper\n", 1),
        ("# One line, and\n# a keeper.\n", 2),
        ("# One line, the\n# silent\n# KDC\n", 2),
        ("keeper = 'a keeper'\n", None),
        ('"""A name: ``keeper`` or `keeper`."""', None),
    ],
)
def test_docstrings_and_comments_are_checked(source, line):
    """Each with its line, also a term over two lines; not names in backquotes, nor code."""
    found = [row for row, _, _ in words().in_module(source)]
    assert found == ([line] if line else [])
