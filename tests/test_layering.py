"""Imports point downward; each room imports what its job needs and nothing else."""

import ast
import os

import pytest

from tests.conftest import ROOT

PACKAGE = os.path.join(ROOT, "jhpatch")
ARROWS = {
    "__main__": {"cli"},
    "progress": set(),
    "cli": {"progress", "catalog", "commands", "errors", "result", "rendering", "telling"},
    "commands": set(),
    "commands.list": {"targets", "reporting", "patchfile", "result"},
    "commands.status": {
        *("targets", "reporting", "plan", "errors", "result", "inspection"),
        *("catalog", "processes", "site", "trust"),
    },
    "commands.diff": {
        *("targets", "reporting", "patchfile", "engine", "unified"),
        *("plan", "states", "inspection", "errors", "result"),
    },
    "commands.apply": {"targets", "changing", "plan", "processes", "result", "inspection"},
    "commands.revert": {"targets", "changing", "plan", "result", "inspection"},
    "commands.lint": {
        *("targets", "catalog", "patchfile", "linting", "drafting", "wheels", "errors", "result"),
        "provenance",
    },
    "commands.rebase": {
        *("targets", "catalog", "patchfile", "digest", "engine", "drafting", "rebasing"),
        *("unified", "versions", "wheels", "errors", "result"),
    },
    "commands.survey": {
        *("targets", "catalog", "patchfile", "digest", "versions", "wheels", "errors", "result"),
    },
    "commands.ticket": {"targets", "tickets", "processes", "errors", "result", "helper"},
    "commands.doctor": {"targets", "diagnosis", "reporting", "errors", "result"},
    "commands.kernelspec": {
        *("targets", "kernels", "kernelcheck", "sparks", "pyspark", "helper", "errors", "result"),
        "diagnosis",
    },
    "kernels": {"pyspark", "trust", "errors"},
    "kernelcheck": {"helper"},
    "sparks": {"helper", "trust", "errors"},
    "pyspark": set(),
    "commands.completion": {"errors", "result", "targets"},
    "commands.nginx": {"targets", "nginx", "front", "unified", "errors", "result"},
    "nginx": set(),
    "front": set(),
    "front.findings": {"result"},
    "front.config": {"front", "errors", "result"},
    "front.faults": {"front", "nginx", "errors", "result"},
    "front.outside": {"front", "diagnosis", "result"},
    "front.sitefile": {"errors"},
    "front.installed": set(),
    "tickets": {"documents", "processes", "result"},
    "telling": {"processes", "rendering", "result"},
    "diagnosis": set(),
    "diagnosis.kerberos": {"diagnosis", "result"},
    "diagnosis.findings": {"result"},
    "diagnosis.spark": {"diagnosis", "kernels", "trust", "helper", "errors", "result"},
    "diagnosis.running": {"diagnosis", "result"},
    "diagnosis.krb5conf": {"trust", "errors"},
    "diagnosis.kdcs": {"diagnosis", "result"},
    "diagnosis.asreq": set(),
    "diagnosis.srv": {"diagnosis"},
    "diagnosis.kinits": {"diagnosis", "trust", "errors", "result"},
    "diagnosis.keytabs": {"diagnosis", "result"},
    "diagnosis.caches": {"diagnosis", "result"},
    "diagnosis.hubconfig": {"diagnosis", "trust", "errors", "result"},
    "diagnosis.host": {"diagnosis", "result"},
    "changing": {
        *("bytecode", "catalog", "reporting", "result", "transaction", "trust", "errors"),
        *("plan", "states", "inspection", "targets"),
    },
    "targets": {"catalog", "patchfile", "site", "errors", "inspection", "states", "trust"},
    "provenance": {"record", "beneath", "digest", "errors"},
    "reporting": {"processes", "errors", "states", "result", "inspection"},
    "rendering": {"result"},
    "result": {"errors"},
    "inspection": {
        *("journal", "saved", "state", "states", "beneath", "catalog", "digest"),
        *("patchfile", "errors", "site"),
    },
    "plan": {"patchfile", "digest", "engine", "record", "state", "errors", "states", "versions"},
    "states": {"patchfile", "digest", "record", "site", "state", "beneath", "versions"},
    "engine": {"patchfile", "digest", "errors"},
    "linting": {"catalog", "compiling", "patchfile", "digest", "engine", "errors"},
    "rebasing": {
        *("patchfile", "compiling", "digest", "engine", "drafting", "unified"),
        *("versions", "errors"),
    },
    "drafting": {"patchfile", "digest", "engine", "errors"},
    "unified": set(),
    "wheels": {"patchfile", "errors"},
    "versions": set(),
    "catalog": {"patchfile", "errors", "versions"},
    "patchfile": {"beneath", "digest", "errors", "versions"},
    "site": {"beneath", "errors"},
    "state": {"beneath", "documents", "errors"},
    "record": set(),
    "transaction": {"journal", "lock", "saved", "staging", "beneath", "digest", "errors"},
    "staging": {"beneath", "digest", "journal"},
    "lock": {"beneath", "errors", "saved"},
    "saved": {"journal", "beneath", "digest", "errors"},
    "journal": {"beneath", "documents", "errors"},
    "documents": set(),
    "digest": set(),
    "named": set(),
    "beneath": set(),
    "trust": {"errors"},
    "bytecode": {"compiling", "errors", "beneath"},
    "compiling": set(),
    "processes": {"result"},
    "errors": set(),
    "helper": set(),
    "helper.kerberos": set(),
    "helper.reasons": set(),
    "helper.pyspark": {"helper"},
}


def modules():
    """Each module's dotted name and its syntax tree."""
    for folder, folders, names in os.walk(PACKAGE):
        folders[:] = [name for name in folders if name not in ("__pycache__", "patches")]
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                dotted = os.path.relpath(path, PACKAGE)[:-3].replace("/", ".")
                dotted = dotted[: -len(".__init__")] if dotted.endswith(".__init__") else dotted
                with open(path, encoding="utf-8") as file:
                    yield dotted, ast.parse(file.read())


MODULES = dict(modules())


def imported(tree):
    """The modules that a tree imports, nested ones too, by full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            for alias in node.names:
                yield "%s.%s" % (node.module, alias.name)


@pytest.mark.parametrize("name", sorted(set(MODULES) - {"__init__"}))
def test_no_arrow_that_is_not_drawn(name):
    """A module imports the rooms that it is drawn to import, and no others."""
    found = set()
    for full in imported(MODULES[name]):
        parts = full.split(".")
        if parts[0] == "jhpatch" and len(parts) > 1 and parts[1] in ARROWS:
            found.add(parts[1])
    # As typing's own; the helper is deployed without the rest.
    drawn = ARROWS[name] | (set() if name.startswith("helper") else {"named"})
    assert found <= drawn, found - drawn


def test_the_picture_has_no_ghosts():
    """Every room that is drawn is there."""
    assert set(ARROWS) == set(MODULES) - {"__init__"}


def calls(tree, *dotted):
    """The lines on which a tree names one of ``dotted`` (``os.environ``)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if "%s.%s" % (node.value.id, node.attr) in dotted:
                yield node.lineno
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in dotted
        ):
            yield node.lineno


@pytest.mark.parametrize(
    "what, allowed",
    [
        (("print", "sys.stdout", "sys.stderr"), {"cli", "compiling", "helper.pyspark"}),
        (("os.environ", "os.getenv"), {"cli", "trust", "helper.kerberos", "helper.pyspark"}),
        (("os.chdir",), {"trust"}),  # in a child that becomes another user
        (("os.fork",), {"trust"}),
        (("sys.exit",), {"__main__"}),
    ],
)
def test_who_may(what, allowed):
    """One room prints, one reads the environment, nobody changes the folder."""
    found = {name for name, tree in MODULES.items() if list(calls(tree, *what))}
    assert found <= allowed, found - allowed


def test_who_imports_patch_ng():
    """The engine, and only when a diff is taken apart."""
    users = {name for name, tree in MODULES.items() if "patch_ng" in set(imported(tree))}
    assert users == {"engine"}


def test_who_imports_crossplane():
    """The room that reads nginx's configuration."""
    users = {name for name, tree in MODULES.items() if "crossplane" in set(imported(tree))}
    assert users == {"front.config"}


def test_the_helper_uses_what_all_its_hosts_have():
    """The standard library, traitlets and tornado."""
    import sys

    tops = {full.split(".")[0] for full in imported(MODULES["helper.kerberos"])}
    known = getattr(sys, "stdlib_module_names", tops)
    assert tops - set(known) <= {"tornado", "traitlets"}
