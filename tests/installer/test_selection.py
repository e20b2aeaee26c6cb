"""Which sites and which patches a command means, and what root trusts."""

import os
import shutil
import subprocess
import sys

import pytest

from jhpatch.errors import Refused, Usage, command_alone
from jhpatch.installer import environment, selection
from jhpatch.installer.inspection import inspect
from jhpatch.installer.plan import Operation
from jhpatch.patchset.catalog import Catalog, own_patch_dir
from jhpatch.system import path_owners
from testing import ROOT
from testing.notebook_site import OPEN, SAVE, path
from testing.trees import tree
from testing.users import ROOT_ONLY


def test_a_patch_is_named_as_pep_503_compares(env):
    """Case, ``-``, ``_`` and ``.`` of a distribution do not count; those of the patch do."""
    known = Catalog((own_patch_dir(),))
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
    known = Catalog((own_patch_dir(),))
    first, second = inspect(environment.environment_of(env.python), known)
    operation = Operation("apply", frozenset(), "0.1.0")
    patches = {status.patch for status in selection.changeable(first, operation)}
    assert patches >= {OPEN, SAVE}
    assert second.is_shadowed(OPEN) and selection.changeable(second, operation) == ()


@pytest.mark.parametrize("version, needs_work", [("5.7.9", True), ("7.6.5", False)])
def test_a_site_outside_of_the_environment(tmp_path, make_site, version, needs_work):
    """It is refused where a patch would change it, with --site; else nothing is in reach."""
    base = make_site(tmp_path, [("notebook", version)], name="base", slim=True)
    venv = make_site(tmp_path, name="venv")
    with open(os.path.join(venv.prefix, "pyvenv.cfg"), "w") as file:
        file.write("home = %s/bin\ninclude-system-site-packages = true\n" % base.prefix)
        file.write("version = %d.%d.0\n" % sys.version_info[:2])
    _, outside = inspect(environment.environment_of(venv.python), Catalog((own_patch_dir(),)))
    operation = Operation("apply", frozenset(), "0.1.0")
    assert not outside.site.inside
    if not needs_work:
        assert selection.changeable(outside, operation) == ()
        return
    with pytest.raises(Refused) as refused:
        selection.changeable(outside, operation)
    assert refused.value.next == command_alone("apply", "--site", base.site)


def test_nothing_to_patch_names_what_pip_abandoned(tmp_path, make_site):
    """A distribution that pip renamed and never removed is named, with the way to mend it."""
    env = make_site(tmp_path)
    known = Catalog((own_patch_dir(),))

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
    assert answer.error["found"] == "owner uid 1234, mode 0644"
    assert (
        "chown -R -h root %s && " % (safe / "patches") in answer.error["next"]
        and tree(env.site) == before
    )


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


@ROOT_ONLY
def test_a_jhpatch_in_an_environment_that_others_can_write(safe, monkeypatch):
    """No copy of a part of the environment: an environment of its own."""
    package = safe / "env" / "lib" / "site-packages" / "jhpatch"
    (package / "installer").mkdir(parents=True)
    (safe / "env").chmod(0o777)
    monkeypatch.setattr(selection, "__file__", str(package / "installer" / "selection.py"))
    with pytest.raises(Refused) as refused:
        selection.refuse_untrusted(Catalog([]))
    assert refused.value.path == str(safe / "env")
    (step,) = refused.value.next.parts
    assert step.startswith("install jhpatch into an environment of its own")
    assert "--python" in step and str(safe) not in step
