"""Where tests lie: a test file a module, and nothing that two tests share lies in a test."""

import ast
import functools
import os

import pytest

from testing import ROOT

OTHER_NAMES = {"__main__.py": "test_main_module.py"}
"""Modules whose test has another name than theirs."""
VALUES = (
    *("kerberos/user_findings.py", "nginx/answer_findings.py"),
    *("report/states.py", "transaction/change.py"),
)
"""Modules without a test file: constants, or a value without behaviour."""
LONG = ()
"""Test files that are longer than they should be, until their modules are split."""
DATA = tuple("commands/documents/%s.py" % name for name in ("of_hosts", "of_sites", "scenes"))
"""Scenarios of test_documents.py: data that is looked up, not read from end to end."""
LINES = 350
"""What is read in one sitting."""


def files(top):
    """The paths of the Python files below a directory of the checkout, relative to it."""
    for above, directories, names in os.walk(os.path.join(ROOT, top)):
        directories[:] = sorted(name for name in directories if not name.startswith("__"))
        for name in sorted(names):
            if name.endswith(".py"):
                yield os.path.relpath(os.path.join(above, name), os.path.join(ROOT, top))


@functools.lru_cache(maxsize=None)
def tree(*path):
    """The syntax tree of a file of the checkout."""
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return ast.parse(file.read())


@functools.lru_cache(maxsize=None)
def imports(*path):
    """The modules that a file imports."""
    found = set()
    for node in ast.walk(tree(*path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
            found.update("%s.%s" % (node.module, alias.name) for alias in node.names)
    return found


@pytest.mark.parametrize(
    "path",
    [p for p in files("jhpatch") if not p.endswith("__init__.py") and p not in VALUES],
)
def test_each_module_has_a_test_file_of_its_name(path):
    """jhpatch/X/y.py is tested by tests/X/test_y.py."""
    directory, name = os.path.split(path)
    test = os.path.join("tests", directory, OTHER_NAMES.get(name, "test_" + name))
    assert os.path.exists(os.path.join(ROOT, test)), test


@pytest.mark.slow
@pytest.mark.parametrize("top", ["tests", "integration", "testing", "benchmarks"])
def test_no_test_is_imported(top):
    """What several files share is in testing/, or in a module beside them that is no test."""
    wrong = {
        (path, name)
        for path in files(top)
        for name in imports(top, path)
        if any(part.startswith("test_") or part == "conftest" for part in name.split("."))
    }
    assert not wrong


@pytest.mark.parametrize("top", ["testing", "integration", "benchmarks"])
def test_nothing_else_imports_from_tests(top):
    """Fast tests are for themselves; testing/ imports neither tests nor integration."""
    below = {"tests"} | ({"integration", "benchmarks"} if top == "testing" else set())
    found = {name.split(".")[0] for path in files(top) for name in imports(top, path)}
    assert not found & below


def test_each_test_states_its_promise():
    """Each test function has a docstring."""
    silent = [
        (path, node.name)
        for path in files("tests")
        for node in ast.walk(tree("tests", path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        if not ast.get_docstring(node)
    ]
    assert not silent


def test_a_test_file_is_read_in_one_sitting():
    """A longer one is split by promise."""
    long = {}
    for path in files("tests"):
        with open(os.path.join(ROOT, "tests", path), encoding="utf-8") as file:
            count = sum(1 for _ in file)
        if count > LINES and path not in DATA and path not in LONG:
            long[path] = count
    assert not long
