"""Made-up patches of popular packages, ported to the next release by ``rebase``'s own rules.

A patch changes one statement of a function: it removes or replaces it, negates a condition, or
puts a line above or below. The reference is ``git merge-file``: what it merges without a conflict
must be what is ported, or the port is refused.
"""

import ast
import collections
import os
import random
import subprocess
import sys
import zipfile

import pytest

from jhpatch.errors import Refused
from jhpatch.maintenance import statements
from testing.wheels import fetched_wheel

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 8), reason="rebase itself requires Python 3.8"
)
RELEASES = {
    "requests": "2.25.1 2.26.0 2.27.1 2.28.2 2.29.0 2.31.0 2.32.3",
    "Jinja2": "2.10.3 2.11.3 3.0.3 3.1.2",
    "click": "7.1.2 8.0.4 8.1.3 8.1.7 8.2.0",
    "rich": "12.6.0 13.0.0 13.4.2 13.7.1 13.9.4",
    "Flask": "1.0.4 1.1.4 2.0.3 2.1.3 2.2.5",
    "jupyterhub": "1.5.0 2.0.0 3.0.0 4.0.0 5.0.0 6.0.0",
}
PATCHES = 60 if os.environ.get("JHPATCH_LONG") else 12


def modules(wheel):
    """The modules of a wheel, by path."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".py")]
        return {name: archive.read(name) for name in names if "/tests/" not in name}


def statements_of(tree):
    """Each simple statement or condition in a function, and the block that it is in."""
    for function in ast.walk(tree):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for node in ast.walk(function):
                for name in ("body", "orelse", "finalbody"):
                    block = getattr(node, name, None)
                    for inner in block if isinstance(block, list) else ():
                        if isinstance(inner, (ast.Return, ast.Assign, ast.Expr, ast.If)):
                            yield inner, block


def patched(data, chance):
    """A module with a patch; None where the chosen one cannot be made."""
    lines = data.decode().split("\n")
    found = list(statements_of(ast.parse(data)))
    if not found:
        return None
    node, block = chance.choice(found)
    indent = lines[node.lineno - 1][: node.col_offset]
    kind = chance.choice(["remove", "replace", "negate", "above", "below"])
    if indent.strip() or (kind == "remove" and len(block) == 1):
        return None
    if kind in ("remove", "replace"):
        new = [indent + "patched = 1  # new", indent + "print(patched)"]
        lines[node.lineno - 1 : node.end_lineno] = new if kind == "replace" else []
    elif kind == "negate":
        test = ast.get_source_segment(data.decode(), node.test) if isinstance(node, ast.If) else ""
        if not test or "\n" in test or lines[node.lineno - 1].count(test) != 1:
            return None
        lines[node.lineno - 1] = lines[node.lineno - 1].replace(test, "not (%s)" % test)
    else:
        number = node.lineno - 1 if kind == "above" else node.end_lineno
        lines.insert(number, indent + "print('patched')")
    return "\n".join(lines).encode()


def merged(tmp_path, before, after, target):
    """What git merges, or None for a conflict."""
    for name, data in (("ours", after), ("base", before), ("theirs", target)):
        (tmp_path / name).write_bytes(data)
    argv = ["git", "merge-file", "-p", "ours", "base", "theirs"]
    done = subprocess.run(argv, cwd=str(tmp_path), stdout=subprocess.PIPE)
    return done.stdout if done.returncode == 0 else None


@pytest.mark.parametrize("package", sorted(RELEASES))
def test_patches_are_ported_or_refused(package, tmp_path):
    """Identical, equal in effect, or refused: none is wrong."""
    chance = random.Random(package)
    versions = RELEASES[package].split()
    wheels = {version: modules(fetched_wheel(package, version)) for version in versions}
    counts = collections.Counter()
    while sum(counts.values()) < PATCHES:
        at = chance.randrange(len(versions) - 1)
        old, new = wheels[versions[at]], wheels[versions[at + 1]]
        path = chance.choice(sorted(path for path in old if new.get(path, old[path]) != old[path]))
        after = patched(old[path], chance)
        if after is None:
            continue
        expected = merged(tmp_path, old[path], after, new[path])
        try:
            ported = statements.port(old[path], after, new[path], path)
        except Refused:
            counts["refused"] += 1
            continue
        if ported == expected:
            counts["identical"] += 1
        elif expected is None:  # comments or quotes beside the statement are others
            counts["ported beside a conflict"] += 1
        else:
            equal = ast.dump(ast.parse(ported)) == ast.dump(ast.parse(expected))
            counts["equal in effect" if equal else "wrong"] += 1
    print(package, sorted(counts.items()))  # for docs/rebase.md
    assert not counts["wrong"] and counts["identical"] > PATCHES / 5, counts
