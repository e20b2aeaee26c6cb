"""Installations that cannot be patched in place: each is named, with its remedy."""

import json
import os
import re
import shutil
import subprocess

import pytest

from jhpatch.installer import layouts
from jhpatch.installer.distribution import Distribution
from jhpatch.report.next_command import Runner
from jhpatch.system.sha256 import sha256
from testing.notebook_site import INFO, OPEN, PAGE, path, unchanged
from testing.patch_files import PATH, UPSTREAM
from testing.wheels import CACHE
from tests.installer.small_app import snapshot


def editable(env):
    """An editable install, as pip records it."""
    with open(path(env, INFO + "/direct_url.json"), "w") as file:
        json.dump({"url": "file:///x", "dir_info": {"editable": True}}, file)


def symlinked(env):
    """uv --link-mode symlink: each file is a link to its cache."""
    cache = os.path.join(env.prefix, "cache")
    shutil.copytree(path(env, INFO), cache)
    for name in os.listdir(cache):
        os.unlink(path(env, INFO + "/" + name))
        os.symlink(os.path.join(cache, name), path(env, INFO + "/" + name))
    with open(os.path.join(cache, "INSTALLER"), "w") as file:
        file.write("uv")


def linked_module(env):
    """One module that is a symlink."""
    os.rename(path(env, PAGE), path(env, "elsewhere.py"))
    os.symlink(path(env, "elsewhere.py"), path(env, PAGE))


def egg_link(env):
    """setup.py develop."""
    shutil.rmtree(path(env, INFO))
    with open(path(env, "notebook.egg-link"), "w") as file:
        file.write("/somewhere\n.")


def archive(env):
    """A wheel on the path, by a .pth file."""
    shutil.rmtree(path(env, INFO))
    (name,) = [name for name in os.listdir(CACHE) if name.startswith("notebook-5.7.9-")]
    shutil.copy(os.path.join(CACHE, name), env.prefix)
    with open(path(env, "archive.pth"), "w") as file:
        file.write(os.path.join(env.prefix, name) + "\n")


@pytest.mark.parametrize(
    "prepare, found, remedy",
    [
        (editable, "an editable install", "git apply"),
        (symlinked, "RECORD is a symlink", "reinstall notebook==5.7.9"),
        (linked_module, "notebook/notebook/handlers.py is a symlink", "reinstall notebook==5.7.9"),
        (egg_link, "an editable install", "git apply"),
        (archive, "inside of the archive ", "remove the archive from the .pth file"),
    ],
)
def test_a_layout_is_named_with_its_remedy(tmp_path, make_site, jhpatch, prepare, found, remedy):
    """The refusal has the layout as what was found, and a next step for it."""
    env = make_site(tmp_path, [("notebook", "5.7.9")], slim=True)
    prepare(env)
    answer = unchanged(jhpatch, env, (3, "status"), (5, "apply"))
    assert answer.states[OPEN] == "unsupported"
    assert found in answer.error["found"] and remedy in answer.error["next"]
    assert "the files of notebook" in answer.error["expected"]


def test_a_symlink_mode_is_reinstalled_as_copies(tmp_path, make_site, jhpatch):
    """uv's own command copies: the next apply would change the cache of other environments."""
    env = make_site(tmp_path, [("notebook", "5.7.9")], slim=True)
    symlinked(env)
    with open(os.path.join(env.prefix, "cache/RECORD")) as file:
        assert file.read()
    os.unlink(path(env, INFO + "/INSTALLER"))
    with open(path(env, INFO + "/INSTALLER"), "w") as file:
        file.write("uv")
    line = jhpatch(env, "apply").error["next"]
    assert line.startswith("uv pip install --python %s --no-cache --link-mode copy " % env.python)


def test_of_two_releases_the_stale_one_is_removed(tmp_path, make_site, jhpatch):
    """pip install --target leaves two .dist-info: the line that is printed ends it."""
    env = make_site(tmp_path, [("jupyterhub", "6.1.0")])
    assert jhpatch(env, "apply").code == 0
    newer = make_site(tmp_path, [("jupyterhub", "6.1.1")], name="newer")
    subprocess.run(["cp", "-a", newer.site + "/.", env.site], check=True)
    for command, code in (("status", 3), ("apply", 5), ("diff", 5)):
        answer = jhpatch(env, command)
        assert answer.code == code
    assert answer.error["found"] == (
        "jupyterhub-6.1.0.dist-info and jupyterhub-6.1.1.dist-info;"
        " jupyterhub-6.1.0.dist-info is stale, because the installed files are those that the"
        " other directory lists"
    )
    line = answer.error["next"]
    assert line == "rm -r %s/jupyterhub-6.1.0.dist-info" % env.site
    subprocess.run(line, shell=True, check=True)
    assert jhpatch(env, "apply").code == 0
    assert jhpatch(env, "revert").code == 0
    left = os.listdir(env.site)
    assert ".jhpatch" not in left and not os.path.exists(path(env, "jupyterhub/_jhpatch_kerberos"))


def record(*files):
    """A RECORD of files and their bytes."""
    import base64

    rows = ""
    for name, data in files:
        digest = base64.urlsafe_b64encode(bytes.fromhex(sha256(data))).rstrip(b"=").decode()
        rows += "%s,sha256=%s,%d\n" % (name, digest, len(data))
    return rows.encode()


def two(old, new, **files):
    """A site with two RECORDs, and the copies of ``app``."""
    files = {name.replace("__", "/"): data for name, data in files.items()}
    infos = ("app-1.0.dist-info", "app-1.1.dist-info")
    files.update({info + "/RECORD": text for info, text in zip(infos, (old, new))})
    copies = [Distribution("app", info[4:7], info, None, "pip") for info in infos]
    return snapshot(dict(files, **{PATH: files.get(PATH, UPSTREAM)})), copies


def test_only_bytes_tell_which_one_is_stale():
    """All that differs is as one RECORD states it, and not as the other; else neither is."""
    ours, theirs = record(("app/x", b"1")), record(("app/x", b"2"))
    for data, stale in ((b"1", "1.1"), (b"2", "1.0"), (b"3", None)):
        view, copies = two(ours, theirs, app__x=data)
        found = layouts.stale_of(view, copies)
        assert (found and found.version) == stale
    view, copies = two(ours, ours, app__x=b"1")
    assert layouts.stale_of(view, copies) is None
    assert layouts.stale_of(view, copies * 2) is None


def test_two_that_cannot_be_told_apart(tmp_path, make_site, jhpatch):
    """Without proof no command removes one."""
    env = make_site(tmp_path, [("notebook", "5.7.9")], slim=True)
    shutil.copytree(path(env, INFO), path(env, "notebook-5.7.8.dist-info"))
    answer = jhpatch(env, "apply")
    assert answer.code == 5 and not re.search(r"\brm\b", answer.error["next"])
    assert Runner().shown is not None
