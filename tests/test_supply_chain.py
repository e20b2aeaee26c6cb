"""Root believes nothing that others can write, and an installation can be checked."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import threading

import pytest

from jhpatch.errors import Failed, Refused
from jhpatch.installer import self_check
from jhpatch.system import path_owners
from testing import ROOT
from testing.trees import tree

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="takes root to give files away")


@pytest.fixture
def env(tmp_path, make_site):
    """notebook 5.7.9, as pip installed it."""
    return make_site(tmp_path, [("notebook", "5.7.9")], slim=True)


@pytest.fixture
def safe(tmp_path):
    """A folder that only root can write, all the way down."""
    if os.geteuid() != 0 or path_owners.writer_of(str(tmp_path)):
        pytest.skip("takes root, and a folder that others cannot write")
    return tmp_path


def loosened(folder, how):
    """One part of a tree given away; says which."""
    if how == "a file's owner":
        part = os.path.join(folder, "app", "1.0-x.patch")
        os.chown(part, 1234, 1234)
    elif how == "a file's mode":
        part = os.path.join(folder, "app", "1.0-x.patch")
        os.chmod(part, 0o666)
    elif how == "a folder's mode":
        part = os.path.join(folder, "app")
        os.chmod(part, 0o777)
    elif how == "a folder above":
        part = os.path.dirname(folder)
        os.chown(part, 1234, 1234)
    else:
        part = os.path.join(folder, "app", "2.0-x.patch")
        os.symlink("/proc/self/mem", part)
        os.lchown(part, 1234, 1234)
    return part


@root_only
@pytest.mark.parametrize("command", ["apply", "revert"])
@pytest.mark.parametrize(
    "how",
    ["a file's owner", "a file's mode", "a folder's mode", "a folder above", "a symlink"],
)
def test_root_refuses_a_tree_that_others_can_write(safe, env, jhpatch, how, command):
    """5 before a patch is read, with the path, the owner and the mode; status may look."""
    folder = safe / "mine" / "patches"
    (folder / "app").mkdir(parents=True)
    shutil.copy(
        os.path.join(ROOT, "patches", "notebook", "5.0.0-kerberos-open.patch"),
        str(folder / "app" / "1.0-x.patch"),
    )
    part = loosened(str(folder), how)
    before = tree(env.site)
    answer = jhpatch(env, command, "--patches", str(folder))
    assert (answer.code, answer.error["path"]) == (5, part), answer
    assert "mode" in answer.error["found"] and part in answer.error["next"]
    assert tree(env.site) == before


@root_only
def test_root_refuses_a_jhpatch_that_others_can_write(safe, env):
    """Its own package: a module, a patch, or a .pyc that another user left there."""
    for part in ("jhpatch/installer/plan.py", "patches/notebook", "jhpatch/__pycache__/x.pyc"):
        tool = safe / part.replace("/", "-")
        for name in ("jhpatch", "patches"):
            shutil.copytree(os.path.join(ROOT, name), str(tool / name))
        shutil.copy(os.path.join(ROOT, "setup.py"), str(tool))
        (tool / "jhpatch" / "__pycache__").mkdir(exist_ok=True)
        with open(str(tool / part), "ab") if part.endswith((".py", ".pyc")) else open(os.devnull):
            os.chown(str(tool / part), 1234, 1234)
        code = "import sys; sys.path.insert(0, %r); from jhpatch.cli.main import main; "
        code += "sys.exit(main())"
        argv = [sys.executable, "-c", code % str(tool), "apply", "--python", env.python]
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/")
        assert done.returncode == 5, (part, done)
        assert str(tool / part) in done.stderr.decode()


@root_only
def test_what_is_roots_alone_is_no_finding(safe):
    """A group without members, a symlink to root's own, and a sticky folder on the way."""
    folder = safe / "patches"
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "one").write_text("")
    os.symlink("/etc/hostname", str(folder / "app" / "two"))
    os.chmod(str(folder / "app" / "one"), 0o664)
    path_owners.refuse_foreign(str(folder))


@root_only
def test_a_symlink_that_leads_nowhere_is_named(safe):
    """The link in the tree, not the place that is not there."""
    (safe / "patches").mkdir()
    os.symlink("/nowhere", str(safe / "patches" / "link"))
    with pytest.raises(Failed) as failed:
        path_owners.refuse_foreign(str(safe / "patches"))
    assert failed.value.path == str(safe / "patches" / "link")


@root_only
def test_what_comes_and_goes_meanwhile_is_no_error(safe):
    """Python writes a .pyc under a name of its own and renames it, while another run looks."""
    package, stop = safe / "package", threading.Event()
    package.mkdir()

    def compiling():
        while not stop.is_set():
            for number in range(100):
                (package / ("a.pyc.%d" % number)).write_bytes(b"")
            for number in range(100):
                (package / ("a.pyc.%d" % number)).unlink()

    thread = threading.Thread(target=compiling)
    thread.start()
    try:
        for _ in range(200):
            path_owners.refuse_foreign(str(package))
    finally:
        stop.set()
        thread.join()


# lint --installed


@pytest.fixture
def installed(tmp_path):
    """A package as pip leaves it: files, and a RECORD beside it."""
    package = tmp_path / "jhpatch"
    (package / "patches").mkdir(parents=True)
    files = {"jhpatch/__init__.py": b"", "jhpatch/patches/1.patch": b"diff\n"}
    rows = []
    for path, data in files.items():
        (tmp_path / path).write_bytes(data)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append("%s,sha256=%s,%d\n" % (path, digest, len(data)))
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "__init__.cpython-36.pyc").write_bytes(b"by pip")
    info = tmp_path / "jhpatch-0.1.0.dist-info"
    info.mkdir()
    (info / "RECORD").write_text("".join(rows) + "jhpatch-0.1.0.dist-info/RECORD,,\n")
    return package


def test_what_pip_installed_is_no_finding(installed):
    """Its .pyc files are in no RECORD with a hash, and are not looked at."""
    assert list(self_check.findings(str(installed))) == []


@pytest.mark.parametrize("how", ["changed", "missing", "added", "a symlink", "a folder's symlink"])
def test_a_jhpatch_that_was_changed_is_found(installed, how, tmp_path):
    """A patch that was edited, is gone, was put there, or is only pointed to."""
    path = installed / "patches" / "1.patch"
    if how == "changed":
        path.write_bytes(b"diff \n")
    elif how == "added":
        path = installed / "patches" / "2.patch"
        path.write_bytes(b"")
    else:
        path.unlink()
    if how == "a symlink":
        (tmp_path / "same").write_bytes(b"diff\n")
        os.symlink(str(tmp_path / "same"), str(path))
    elif how == "a folder's symlink":
        (tmp_path / "moved").mkdir()
        (tmp_path / "moved" / "1.patch").write_bytes(b"diff\n")
        path.parent.rmdir()
        os.symlink(str(tmp_path / "moved"), str(path.parent))
    paths = {finding.path for finding in self_check.findings(str(installed))}
    assert str(path) in paths


def test_a_checkout_has_nothing_to_compare_with(tmp_path, jhpatch):
    """Without a RECORD of a wheel: 5, and not a word of all being well."""
    (tmp_path / "jhpatch").mkdir()
    with pytest.raises(Refused):
        list(self_check.findings(str(tmp_path / "jhpatch")))
