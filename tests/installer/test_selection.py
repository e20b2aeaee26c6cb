"""What a command line names: environments, patches and patch directories."""

import argparse
import os
import shutil
import subprocess
import sys

import pytest

from jhpatch.errors import Refused, Usage
from jhpatch.installer import environment, selection
from jhpatch.installer.inspection import inspect
from jhpatch.patchset.catalog import Catalog, own_tree
from jhpatch.system import path_owners
from testing import ROOT
from testing.notebook_site import OPEN, SAVE, path
from testing.trees import tree
from testing.users import ROOT_ONLY


def parsed(*arguments, changes=False):
    """The arguments of a command as the parser gives them."""
    parser = argparse.ArgumentParser()
    selection.add_arguments(parser, changes, patches=True)
    return parser.parse_args(arguments)


def test_the_defaults():
    """Without options: this environment, all patches, ten seconds for the lock."""
    arguments = parsed(changes=True)
    assert arguments.python == arguments.site == arguments.patches == arguments.patch == []
    assert (arguments.dry_run, arguments.lock_timeout, arguments.json) == (False, 10.0, False)
    assert selection.environments_of(arguments) == [environment.own_environment()]
    assert selection.catalog_of(arguments).trees == (own_tree(),)


@pytest.mark.parametrize("text", ["0", "3600", "0.5"])
def test_a_number_in_its_range(text):
    """An option takes a number from its range, the ends included."""
    assert selection.number(0, 3600, "seconds")(text) == float(text)


@pytest.mark.parametrize("text", ["-1", "3601", "soon", "nan", "inf", ""])
def test_a_number_outside_of_its_range(text):
    """Anything else is refused with the range, the unit and what was found."""
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        selection.number(0, 3600, "seconds")(text)
    assert str(refused.value) == "expected 0 to 3600 seconds, found %r" % text


@pytest.mark.parametrize("kind", ["nothing", "a file"])
def test_a_patch_directory_that_is_not_there(tmp_path, kind):
    """A missing directory is no empty one: a usage error says what is there."""
    (tmp_path / "file").touch()
    name = str(tmp_path / kind.replace("a ", ""))
    with pytest.raises(Usage) as refused:
        selection.trees_of(parsed("--patches", name))
    assert (refused.value.path, refused.value.found) == (name, kind)


def test_environments_are_named_by_python_and_by_site(env):
    """``--python`` and ``--site`` can be given more than once; each site is inspected once."""
    arguments = parsed("--python", env.python, "--site", env.site, "--python", env.prefix)
    environments = selection.environments_of(arguments)
    assert len(environments) == 3
    known = Catalog((own_tree(),))
    (inspection,) = selection.inspections_of(environments, known)
    assert inspection.site.path == env.site and inspection.environment.python == env.python


def test_a_patch_is_named_as_pep_503_compares(env):
    """Case, ``-``, ``_`` and ``.`` of a distribution do not count; those of the patch do."""
    known = Catalog((own_tree(),))
    inspections = list(inspect(environment.environment_of(env.python), known))
    names = selection.patch_names(["Notebook/kerberos-open"], known, inspections)
    assert names == {OPEN} and selection.patch_names([], known, inspections) == set()
    with pytest.raises(Usage) as refused:
        selection.patch_names(["notebook/kerberos_open"], known, inspections)
    assert OPEN in refused.value.expected and refused.value.found == "notebook/kerberos_open"


def test_an_unknown_patch_name(env, jhpatch):
    """A command with an unknown patch name is a usage error with the names; known ones apply."""
    answer = jhpatch(env, "apply", "notebook/kerberos-opem")
    assert answer.code == 2 and "notebook/kerberos-open" in answer.error["expected"]
    answer = jhpatch(env, "apply", "Notebook/kerberos-open")
    assert answer.code == 0 and answer.states["notebook/kerberos-open"] == "applied"
    assert answer.states["notebook/kerberos-save"] == "pristine"


def test_a_hidden_copy_is_not_changed(tmp_path, make_site):
    """Of two copies the one that Python imports counts; the other one is out of reach."""
    env = make_site(tmp_path, [("notebook", "5.7.9")], slim=True)
    other = make_site(tmp_path, [("notebook", "5.7.9")], name="other", slim=True)
    with open(path(env, "other.pth"), "w") as file:
        file.write(other.site + "\n")
    known = Catalog((own_tree(),))
    first, second = inspect(environment.environment_of(env.python), known)
    assert {status.patch for status in selection.within_reach(first, set())} >= {OPEN, SAVE}
    assert second.is_shadowed(OPEN) and selection.within_reach(second, set()) == ()


def test_nothing_to_patch_names_what_pip_abandoned(tmp_path, make_site):
    """A distribution that pip renamed and never removed is named, with the way to mend it."""
    env = make_site(tmp_path)
    known = Catalog((own_tree(),))

    def refusal():
        with pytest.raises(Refused) as refused:
            inspections = inspect(environment.environment_of(env.python), known)
            selection.refuse_nothing_here(list(inspections))
        return refused.value

    assert refusal().found == "none of them"
    os.mkdir(path(env, "~otebook-5.7.9.dist-info"))
    assert "~otebook-5.7.9.dist-info" in refusal().found


@pytest.fixture
def safe(tmp_path):
    """A directory that only root can write, all the way down."""
    if path_owners.writer_of(str(tmp_path)):
        pytest.skip("others can write the tests' own directory")
    return tmp_path


@ROOT_ONLY
@pytest.mark.parametrize("command", ["apply", "revert"])
def test_root_refuses_patches_that_others_can_write(safe, env, jhpatch, command):
    """Exit code 5 before a patch is read, with the path, the owner and the mode."""
    patch = safe / "patches/app/1.0-x.patch"
    patch.parent.mkdir(parents=True)
    patch.write_text("no patch at all")
    os.chown(str(patch), 1234, 1234)
    before = tree(env.site)
    answer = jhpatch(env, command, "--patches", str(safe / "patches"))
    assert (answer.code, answer.error["path"]) == (5, str(patch)), answer
    assert answer.error["found"] == "owner uid 1234, mode 644"
    assert str(patch) in answer.error["next"] and tree(env.site) == before


@ROOT_ONLY
@pytest.mark.parametrize(
    "part", ["jhpatch/installer/plan.py", "patches/notebook", "jhpatch/__pycache__/x.pyc"]
)
def test_root_refuses_a_jhpatch_that_others_can_write(safe, env, part):
    """A module, a patch directory or a .pyc of another user in jhpatch itself: exit code 5."""
    tool = safe / "tool"
    for name in ("jhpatch", "patches"):
        shutil.copytree(os.path.join(ROOT, name), str(tool / name))
    shutil.copy(os.path.join(ROOT, "setup.py"), str(tool))
    (tool / "jhpatch/__pycache__").mkdir(exist_ok=True)
    if part.endswith(".pyc"):
        (tool / part).touch()
    os.chown(str(tool / part), 1234, 1234)
    code = "import sys; sys.path.insert(0, %r); from jhpatch.cli.main import main; "
    code += "sys.exit(main())"
    argv = [sys.executable, "-c", code % str(tool), "apply", "--python", env.python]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/")
    assert done.returncode == 5, done
    assert str(tool / part) in done.stderr.decode()
