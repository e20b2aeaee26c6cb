"""The arrows of the design, read from the imports: a rule a directory."""

import ast
import os
import sys

import pytest

from jhpatch.spark import kernelspec
from testing import ROOT
from testing.layering import ARROWS

PACKAGE = os.path.join(ROOT, "jhpatch")
EVERYWHERE = {"errors", "namedtuple"}
COPIED = "jhpatch.deployed.kerberos"
"""The package that is copied into distributions, as _jhpatch_kerberos."""


def modules():
    """The dotted name and the syntax tree of each module."""
    for directory, directories, names in os.walk(PACKAGE):
        directories[:] = [name for name in directories if name not in ("__pycache__", "patches")]
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(directory, name)
                dotted = os.path.relpath(path, os.path.dirname(PACKAGE))[:-3].replace("/", ".")
                with open(path, encoding="utf-8") as file:
                    yield dotted.replace(".__init__", ""), ast.parse(file.read())


MODULES = dict(modules())


def imported(name):
    """The full names that a module imports, also inside of functions.

    Relative imports are for what is copied into a package of another name.
    """
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                assert node.level == 1 and name.startswith(COPIED + "."), "relative import"
                module = (COPIED + "." + module).rstrip(".")
            for alias in node.names:
                yield "%s.%s" % (module, alias.name)


def imports_of(name):
    """The modules of jhpatch that a module imports."""
    for full in imported(name):
        while full and full not in MODULES:
            full = full.rpartition(".")[0]
        if full not in ("", "jhpatch", name):
            yield full


def directory_of(module):
    """The directory of a module below jhpatch/, or the module itself where it has none."""
    return module.split(".")[1]


def circle(graph):
    """The nodes of a circle in a graph, a dict of sets; empty if it has none."""
    finished, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node) :] + [node]
        if node in finished:
            return []
        path.append(node)
        for target in sorted(graph.get(node, ())):
            found = visit(target)
            if found:
                return found
        finished.add(path.pop())
        return []

    return next(filter(None, map(visit, sorted(graph))), [])


@pytest.mark.parametrize("directory", sorted(ARROWS))
def test_each_arrow_is_drawn(directory):
    """A directory imports the directories that its rule names, and no others.

    deployed/ is copied beside servers without the modules that all others may import.
    """
    everywhere = EVERYWHERE if directory != "deployed" else set()
    found = {
        (name, target)
        for name in MODULES
        if name.startswith("jhpatch.%s." % directory)
        for target in imports_of(name)
        if directory_of(target) not in ARROWS[directory] | everywhere | {directory}
    }
    assert not found


def test_each_directory_has_a_rule():
    """A new directory or module at the top needs a line in ARROWS."""
    tops = {directory_of(name) for name in MODULES if "." in name}
    assert tops == set(ARROWS) | EVERYWHERE | {"__main__"}


def test_no_circle():
    """No module and no directory imports itself by way of others."""
    graph = {name: set(imports_of(name)) for name in MODULES if "." in name}
    assert circle(graph) == []
    directories = {}
    for name, targets in graph.items():
        there = {directory_of(target) for target in targets} - {directory_of(name)}
        directories.setdefault(directory_of(name), set()).update(there)
    assert circle(directories) == []


def test_a_circle_is_found():
    """A graph with a circle gives the circle: the check above can fail."""
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c", "a"]


def uses(tree, *dotted):
    """Whether a tree names one of ``dotted`` (``os.environ``, ``print``)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if "%s.%s" % (node.value.id, node.attr) in dotted:
                return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in dotted:
                return True
    return False


@pytest.mark.parametrize(
    "what, owners",
    [
        # compiler is also a script, run by the Python of a site.
        (
            ("print", "sys.stdout", "sys.stderr"),
            ("jhpatch.cli", "jhpatch.deployed", "jhpatch.system.compiler"),
        ),
        # A child that has become another user clears the environment.
        (
            ("os.environ", "os.getenv"),
            ("jhpatch.cli", "jhpatch.deployed", "jhpatch.system.become_user"),
        ),
        (
            ("os.chdir", "os.fork"),
            ("jhpatch.system.become_user", COPIED + ".cache_child", COPIED + ".fork_server"),
        ),
        (("sys.exit",), ("jhpatch.__main__", COPIED + ".cache_child")),
    ],
    ids=lambda value: value[0],
)
def test_what_has_one_owner(what, owners):
    """Printing, the environment, the directory, forks and exits have one owner each."""
    found = {name for name, tree in MODULES.items() if uses(tree, *what)}
    assert not {name for name in found if not (name + ".").startswith(_dotted(owners))}


def _dotted(owners):
    return tuple(owner + "." for owner in owners)


@pytest.mark.parametrize(
    "package, owner",
    [("patch_ng", "jhpatch.patchset.engine"), ("crossplane", "jhpatch.nginx.parser")],
)
def test_a_dependency_has_one_owner(package, owner):
    """One module alone imports a library."""
    assert {name for name in MODULES if package in set(imported(name))} == {owner}


def test_the_deployed_code_uses_what_all_its_hosts_have():
    """It imports the standard library, traitlets and tornado; in a kernel pyspark."""
    found = set()
    for name in MODULES:
        if name.startswith("jhpatch.deployed."):
            found |= {full.split(".")[0] for full in imported(name)}
    known = getattr(sys, "stdlib_module_names", found)
    hosts = {"tornado", "traitlets", "pyspark", "jhpatch"}
    hosts |= {"jhpatch_" + name for name in kernelspec.MODULES}
    assert found - set(known) <= hosts
