"""The options that commands share: environments, patches and patch directories."""

import argparse
import errno
import os

import pytest

from jhpatch.commands.arguments import (
    add_arguments,
    catalog_of,
    environments_of,
    number,
    patch_dirs_of,
)
from jhpatch.errors import Usage
from jhpatch.installer import environment, selection
from jhpatch.patchset import patch_sets
from jhpatch.patchset.catalog import Catalog, own_patch_dir
from testing.patch_files import patch_text, put


def parsed(*arguments, changes=False, environ=()):
    """The arguments of a command as the parser gives them, and the environment's variables."""
    parser = argparse.ArgumentParser()
    add_arguments(parser, changes)
    return parser.parse_args(arguments, argparse.Namespace(environ=dict(environ)))


def test_the_defaults():
    """Without options: this environment, all patches, ten seconds for the lock."""
    arguments = parsed(changes=True)
    assert arguments.python == arguments.site == arguments.patches == arguments.patch == []
    assert (arguments.dry_run, arguments.lock_timeout, arguments.json) == (False, 10.0, False)
    assert environments_of(arguments) == [environment.own_environment()]
    assert catalog_of(arguments).patch_dirs == (own_patch_dir(),)


@pytest.mark.parametrize("text", ["0", "3600", "0.5"])
def test_a_number_in_its_range(text):
    """An option takes a number from its range, the ends included."""
    assert number(0, 3600, "seconds")(text) == float(text)


@pytest.mark.parametrize("text", ["-1", "3601", "soon", "nan", "inf", ""])
def test_a_number_outside_of_its_range(text):
    """Anything else is refused with the range, the unit and what was found."""
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        number(0, 3600, "seconds")(text)
    assert str(refused.value) == "expected 0 to 3600 seconds, found %r" % text


@pytest.mark.parametrize("kind", ["nothing", "a file"])
def test_a_patch_directory_that_is_not_there(tmp_path, kind):
    """A missing directory is no empty one: a usage error says what is there."""
    (tmp_path / "file").touch()
    name = str(tmp_path / kind.replace("a ", ""))
    with pytest.raises(Usage) as refused:
        patch_dirs_of(parsed("--patches", name))
    assert (refused.value.path, refused.value.found) == (name, kind)


def test_environments_are_named_by_python_and_by_site(env):
    """``--python`` and ``--site`` can be given more than once; each site is inspected once."""
    arguments = parsed("--python", env.python, "--site", env.site, "--python", env.prefix)
    environments = environments_of(arguments)
    assert len(environments) == 3
    known = Catalog((own_patch_dir(),))
    (inspection,) = selection.inspect_all(environments, known)
    assert inspection.site.path == env.site and inspection.environment.python == env.python


LAYOUTS = {
    "empty": None,
    "at the top": "1.0-hooks.patch",
    "a diff": "app/1.0-hooks.diff",
    "too deep": "patches/app/1.0-hooks.patch",
    "hidden": "_app/1.0-hooks.patch",
}


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
@pytest.mark.parametrize("command", ["status", "apply", "lint", "survey"])
def test_a_directory_whose_patches_would_never_be_read(jhpatch, tmp_path, command, layout):
    """It is an error that names the layout and the file that lies elsewhere."""
    name = LAYOUTS[layout]
    (tmp_path / "p").mkdir()
    if name:
        (tmp_path / "p" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "p" / name).write_text(patch_text(Adds=""))

    answer = jhpatch(None, command, "--patches", str(tmp_path / "p"))
    assert (answer.code, answer.error["message"]) == (2, "the patch directory contains no patch")
    assert answer.error["expected"].startswith("<distribution>/<first release>-<name>.patch")
    assert answer.error["found"] == (name or "no file NAME.patch")


def a_set(tmp_path, name):
    """A patch directory with ``app/<name>``."""
    put(str(tmp_path / name), patch_text(Adds=""), "1.0-%s.patch" % name)
    return str(tmp_path / name)


def test_where_patches_come_from(tmp_path, monkeypatch):
    """--patches, JHPATCH_PATCHES, the directory of the host, installed patch sets, our own."""
    one, two, three, host, installed = (a_set(tmp_path, name) for name in "abcde")
    monkeypatch.setattr(patch_sets, "STANDING", host)
    monkeypatch.setattr(patch_sets, "installed", lambda path: [("set", installed)])
    found = parsed("--patches", one, environ={"JHPATCH_PATCHES": two + ":" + three})
    assert catalog_of(found).patch_dirs == (own_patch_dir(), one, two, three, host, installed)
    found.only_patches = True
    assert catalog_of(found).patch_dirs == (one, two, three, host, installed)


def test_a_directory_that_is_named_twice(tmp_path):
    """Its patches are read once, whatever its path."""
    one, two = a_set(tmp_path, "a"), a_set(tmp_path, "b")
    (tmp_path / "link").symlink_to(one)
    link = str(tmp_path / "link")
    found = parsed("--patches", one, "--patches", two, environ={"JHPATCH_PATCHES": link})
    assert catalog_of(found).patch_dirs == (own_patch_dir(), one, two)


def test_only_patches_needs_some(tmp_path):
    """Without any other there is nothing to do."""
    with pytest.raises(Usage) as refused:
        catalog_of(parsed("--only-patches"))
    assert refused.value.expected == "--patches DIR"


@pytest.mark.parametrize("kind", ["JHPATCH_PATCHES", "the patch set ours"])
def test_a_standing_directory_that_is_not_there(tmp_path, monkeypatch, kind):
    """The error names where its name comes from."""
    path = str(tmp_path / "nothing")
    environ = {"JHPATCH_PATCHES": path} if kind == "JHPATCH_PATCHES" else {}
    sets = [] if environ else [("ours", path)]
    monkeypatch.setattr(patch_sets, "installed", lambda _: sets)
    with pytest.raises(Usage, match=kind + " does not name a directory") as refused:
        catalog_of(parsed(environ=environ))
    assert refused.value.path == path
    step = "".join(refused.value.next.parts)
    assert step.startswith("correct or unset" if environ else "install the distribution of ")


@pytest.mark.parametrize(
    "kind", ["a file", "a symlink whose target does not exist", "Not allowed"]
)
def test_a_standing_directory_that_is_none(tmp_path, monkeypatch, kind):
    """The host's directory is left out only if there is nothing of its name."""
    path = tmp_path / "patches"
    monkeypatch.setattr(patch_sets, "STANDING", str(path))
    assert catalog_of(parsed()).patch_dirs == (own_patch_dir(),)
    if kind == "a file":
        path.write_text("")
    elif kind.startswith("a symlink"):
        path.symlink_to("nothing")
    else:
        real = os.stat

        def stat(name, *more, **options):
            if name == str(path):
                raise PermissionError(errno.EACCES, kind, name)
            return real(name, *more, **options)

        monkeypatch.setattr(os, "stat", stat)
    with pytest.raises(Usage) as refused:
        catalog_of(parsed())
    assert (refused.value.path, refused.value.found) == (str(path), kind)


def test_a_revert_needs_no_patches(jhpatch, env, tmp_path, monkeypatch):
    """It goes on when the patch directories are empty, or gone."""
    jhpatch(env, "apply")
    monkeypatch.setenv("JHPATCH_PATCHES", str(tmp_path / "nothing"))
    (tmp_path / "empty").mkdir()
    assert jhpatch(env, "status").code == 2
    assert jhpatch(env, "revert", "--patches", str(tmp_path / "empty")).code == 0
    assert jhpatch(env, "revert", "--patches", str(tmp_path / "nothing")).code == 2


FAULTY = {
    "garbage": ["garbage"],
    "two editions for a release": [patch_text(Adds="", Versions=">=1.0,<=1.2")] * 2,
    "an added file that is missing": [patch_text(Adds="app/_helper.py < _added/nothing.txt")],
}


@pytest.mark.parametrize("kind", sorted(FAULTY))
@pytest.mark.parametrize("option", [True, False])
def test_a_revert_leaves_faulty_patches_out(jhpatch, env, tmp_path, monkeypatch, kind, option):
    """It is said; other commands fail, and name the directory to lint."""
    jhpatch(env, "apply")
    directory = str(tmp_path / "p")
    (tmp_path / "p/notebook").mkdir(parents=True)
    for minor, text in enumerate(FAULTY[kind]):
        text = text.replace("Package: app", "Package: notebook")
        (tmp_path / ("p/notebook/1.%d-hooks.patch" % minor)).write_text(text)
    if not option:
        monkeypatch.setenv("JHPATCH_PATCHES", directory)
    arguments = ("--patches", directory) if option else ()
    if "added" not in kind:
        answer = jhpatch(env, "apply", *arguments)
        assert answer.code == 1
        assert answer.error["next"].endswith(" lint --patches " + directory)
    answer = jhpatch(env, "revert", *arguments)
    assert (answer.code, answer.document["changed"]) == (0, True), answer
    assert "ignored the patch directory " + directory in str(answer.document["sites"][0]["notes"])
    assert not os.path.exists(os.path.join(env.site, ".jhpatch"))
