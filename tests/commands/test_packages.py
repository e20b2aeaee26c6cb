"""Patches that add a package: applied, upgraded, reverted, and imported all the while."""

import os
import shutil
import subprocess
import sys

import pytest

from jhpatch.patchset import additions
from testing.package_patches import (
    FILES,
    HELPER,
    INFO,
    ONE_FILE,
    PACKAGE,
    RECORD,
    A,
    B,
    small,
)
from testing.trees import tree

BOTH = {A: "applied", B: "applied"}


@pytest.fixture
def app(tmp_path):
    """A site with ``app`` 1.0, and an empty patch directory."""
    return small(tmp_path)


@pytest.fixture
def run(app, jhpatch):
    """Run a command on the site; return its answer."""

    def call(command, *arguments, code=0):
        answer = jhpatch(None, command, *arguments, *app.where)
        assert answer.code == code, answer.error
        return answer

    return call


def states(answer):
    """The states of the two patches."""
    return {patch: answer.states[patch] for patch in (A, B)}


def imported(app, module="a"):
    """What a module imports as its helper, by a Python that is started anew."""
    code = "import app.%s as m; print(m.shape)" % module
    return subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=app.site, stdout=subprocess.PIPE, check=True
    ).stdout.decode()


def test_a_package_is_added_and_removed(app, run):
    """Applied, it is imported and listed in RECORD; reverted, no byte and no directory is left."""
    before = tree(app.site)
    app.patch(FILES)
    assert states(run("apply")) == states(run("status")) == BOTH
    assert imported(app) == "package\n"
    with open(app.path(RECORD)) as file:
        rows = [line.split(",")[0] for line in file]
    assert [row for row in rows if row.startswith(PACKAGE)] == sorted(FILES)
    assert run("apply").document["changed"] is False
    run("revert")
    assert tree(app.site) == before


@pytest.mark.parametrize("end", ["upgrade", "no upgrade", "one after the other"])
def test_a_site_with_the_helper_as_one_file(app, run, end):
    """It is outdated; apply goes over in one transaction; a revert restores the release."""
    before = tree(app.site)
    app.patch(ONE_FILE)
    run("apply")
    assert imported(app) == "file\n"
    app.patch(FILES)
    assert states(run("status", code=3)) == {A: "outdated", B: "outdated"}
    if end != "no upgrade":
        assert states(run("apply")) == BOTH
        assert imported(app) == imported(app, "b") == "package\n"
        assert not os.path.exists(app.path(HELPER))
    if end == "one after the other":
        run("revert", A)
        assert imported(app, "b") == "package\n"
    run("revert")
    assert tree(app.site) == before


def test_a_package_that_becomes_one_file(app, run):
    """The other way round: the package goes, with its directories."""
    before = tree(app.site)
    app.patch(FILES)
    run("apply")
    app.patch(ONE_FILE)
    run("apply")
    assert imported(app) == "file\n" and not os.path.exists(app.path(PACKAGE))
    run("revert")
    assert tree(app.site) == before


def reinstalled(app, files, *gone):
    """Install the release again as conda does, which leaves files that it does not know."""
    for name in gone:
        shutil.rmtree(app.path(name))
    for name, data in files.items():
        os.makedirs(os.path.dirname(app.path(name)), exist_ok=True)
        with open(app.path(name), "wb") as file:
            file.write(data)


@pytest.mark.parametrize("command", ["apply", "revert"])
def test_a_package_that_a_manager_leaves(app, run, command):
    """Reinstalled around the package: apply takes it over, and a revert removes it."""
    names = ["app/__init__.py", "app/a.py", "app/b.py", RECORD, INFO + "/METADATA"]
    files = {name: open(app.path(name), "rb").read() for name in names}
    before = tree(app.site)
    app.patch(FILES)
    run("apply")
    reinstalled(app, files, INFO)
    assert states(run("status", code=3)) == {A: "superseded", B: "superseded"}
    if command == "apply":
        assert states(run("apply")) == BOTH and imported(app) == "package\n"
    run("revert")
    assert tree(app.site) == before


@pytest.mark.parametrize("command", ["apply", "revert"])
def test_a_package_whose_distribution_is_gone(app, run, command):
    """A manager has left it alone: it goes with the directory that held it."""
    app.patch(FILES)
    run("apply")
    reinstalled(app, {}, INFO)
    for name in ("__init__.py", "a.py", "b.py"):
        os.unlink(app.path("app/" + name))
    run(command)
    assert os.listdir(app.site) == []


@pytest.mark.parametrize("kind", ["a file", "a symlink"])
def test_what_is_in_the_way(app, run, kind):
    """A file or a symlink where the directory should be is named, and nothing is changed."""
    app.patch(FILES)
    if kind == "a file":
        open(app.path(PACKAGE), "w").close()
    else:
        os.symlink(INFO, app.path(PACKAGE))
    before = tree(app.site)
    refused = run("apply", code=5).error
    assert "%s: a part of this path is a symlink or a file" % PACKAGE in refused["message"]
    assert tree(app.site) == before


def test_a_set_of_jhpatch_is_a_package(app, run, tmp_path, monkeypatch):
    """The row of a set gives its files, as rows of their own would."""
    names = sorted(FILES, key=list(FILES).index)
    for number, name in enumerate(names):
        (tmp_path / "deployed").mkdir(exist_ok=True)
        (tmp_path / "deployed" / str(number)).write_text(FILES[name])
    parts = tuple((name[len(PACKAGE) + 1 :], str(n)) for n, name in enumerate(names))
    monkeypatch.setattr(additions, "SETS", {"helper-of-app": parts})
    monkeypatch.setattr(additions, "DEPLOYED", str(tmp_path / "deployed"))
    app.patch({})
    for slug in ("a", "b"):
        path = os.path.join(app.patches, "app/1.0-%s.patch" % slug)
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            row = "Adds: %s/ < deployed:helper-of-app\n---\n" % PACKAGE
            file.write(text.replace("---\n", row, 1))
    before = tree(app.site)
    assert states(run("apply")) == BOTH
    assert imported(app) == "package\n"
    run("revert")
    assert tree(app.site) == before


# Two patches that share what they add.


def test_a_named_patch_updates_its_sibling(app, run):
    """The shared files are those of both; a dry run names the sibling; each reverts alone."""
    before = tree(app.site)
    app.patch(ONE_FILE)
    run("apply")
    app.patch(FILES)
    note = B + " is included, because it shares added files with the named patches"
    dry = run("apply", A, "--dry-run")
    assert note in dry.document["sites"][0]["notes"]
    answer = run("apply", A)
    assert states(answer) == BOTH and note in answer.document["sites"][0]["notes"]
    run("revert", A)
    assert imported(app, "b") == "package\n" and states(run("status", code=3))[B] == "applied"
    run("revert", B)
    assert tree(app.site) == before


def test_a_sibling_that_was_never_applied_is_left_alone(app, run):
    """A named apply changes the patch that was named, and applied ones that share its files."""
    app.patch(FILES)
    assert states(run("apply", A)) == {A: "applied", B: "pristine"}
    with open(app.path("app/b.py")) as file:
        assert "_added" not in file.read()


def test_a_sibling_that_cannot_be_updated_refuses_the_patch(app, run):
    """Edited by somebody, it would import a file that changes under it: nothing is changed."""
    app.patch(ONE_FILE, ["a"])
    run("apply", A)
    app.patch({HELPER: "shape = 'newer'\nhook = 1\n"})
    with open(app.path("app/a.py"), "a") as file:
        file.write("# edited\n")
    before = tree(app.site)
    refused = run("apply", B, code=5).error
    assert refused["message"].startswith(
        "app/b changes a file that app/a needs, but app/a cannot be updated: app/a: app/a.py"
    )
    assert refused["path"] == app.path(HELPER)
    assert tree(app.site) == before


def test_two_patches_that_add_different_files_are_refused(app, run):
    """Of two versions of one path only one could lie there."""
    app.patch(ONE_FILE, ["a"])
    app.patch({HELPER: "shape = 'other'\nhook = 1\n"}, ["b"])
    refused = run("apply", code=5).error
    assert (
        refused["message"]
        == "two patches add different versions of the same file: app/a and app/b"
    )
    run("apply", A)
    refused = run("apply", B, code=5).error
    assert "app/a needs" in refused["message"] and refused["path"] == app.path(HELPER)


def test_a_revert_leaves_the_files_of_an_unrecorded_older_sibling(app, run):
    """Without a state, and outdated: it cannot be recorded, but it stays whole."""
    before = tree(app.site)
    app.patch(FILES)
    run("apply")
    shutil.rmtree(app.path(".jhpatch"))
    app.patch(dict(FILES, **{PACKAGE + "/newer.py": "newer = 1\n"}))
    assert states(run("status", code=3)) == {A: "outdated", B: "outdated"}
    run("revert", A)
    assert imported(app, "b") == "package\n"
    run("revert")
    assert tree(app.site) == before


def test_a_revert_records_a_sibling_that_was_not_recorded(app, run):
    """Without a state, both are found by their bytes; one leaves, and the other stays whole."""
    before = tree(app.site)
    app.patch(FILES)
    run("apply")
    shutil.rmtree(app.path(".jhpatch"))
    run("revert", A)
    assert imported(app, "b") == "package\n"
    status = run("status", code=3)
    assert states(status) == {A: "pristine", B: "applied"} and status.reasons[B] is None
    with open(app.path(RECORD)) as file:
        assert PACKAGE in file.read()
    run("revert")
    assert tree(app.site) == before


# Imports meanwhile.

_LOOP = """
import importlib, os, sys
sys.dont_write_bytecode = True
sys.path.insert(0, %r)
print("ready", flush=True)
count = 0
while not os.path.exists(%r):
    for slug in "ab":
        for name in [name for name in sys.modules if name.split(".")[0] == "app"]:
            del sys.modules[name]
        importlib.invalidate_caches()
        path = "app/%%s.py" %% slug
        with open(os.path.join(sys.path[0], path)) as file:
            try:
                importlib.import_module("app." + slug)
            except Exception as error:
                found = os.stat(os.path.join(sys.path[0], path))
                # A revert may remove what a module names that was restored meanwhile.
                if os.path.samestat(os.fstat(file.fileno()), found):
                    sys.exit("%%s while %%s stayed" %% (repr(error), path))
        count += 1
print(count)
"""


@pytest.mark.slow
def test_an_import_never_finds_half_a_package(app, run, tmp_path):
    """A process that imports in a loop, during applies, upgrades and reverts, sees no error."""
    stop = str(tmp_path / "stop")
    before = tree(app.site)
    children = [
        subprocess.Popen(
            [sys.executable, "-I", "-c", _LOOP % (app.site, stop)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    try:
        for child in children:
            assert child.stdout.readline() == b"ready\n"
        for number in range(12):
            app.patch(ONE_FILE)
            run("apply")
            app.patch(FILES)
            run("apply")
            if number % 2:
                run("revert", A)
                run("apply")
            run("revert")
    finally:
        open(stop, "w").close()
    for child in children:
        out, errors = child.communicate(timeout=300)
        assert child.returncode == 0, errors.decode()
        assert int(out) > 100
    assert tree(app.site) == before
