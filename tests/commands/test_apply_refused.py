"""``jhpatch apply``: what it refuses, with what was expected, what was found and what is next."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys

import pytest

from jhpatch.cli import main
from jhpatch.transaction import transaction
from testing import ROOT
from testing.notebook_site import (
    CONTENTS,
    HELPERS,
    INFO,
    OPEN,
    PAGE,
    RECORD,
    RELEASE,
    SAVE,
    append,
    data,
    die_during_apply,
    path,
    rename_release,
    unchanged,
)
from testing.patch_files import own_patch
from testing.trees import times, tree
from testing.users import NOBODY, ROOT_ONLY, make_reachable
from testing.waiting import until


@pytest.fixture
def both(tmp_path, make_site):
    """notebook 5.7.9 and jupyterhub 0.9.6 in one environment."""
    return make_site(tmp_path, [RELEASE, ("jupyterhub", "0.9.6")], slim=True)


def test_a_modified_file(env, jhpatch, monkeypatch, tmp_path):
    """One byte other than the release's: exit code 5, and nothing is changed."""
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    append(env, CONTENTS, b"#")
    answer = unchanged(
        jhpatch, env, (3, "status"), (5, "apply"), (5, "revert", "--force"), (5, "diff")
    )
    assert answer.states == {OPEN: "pristine", SAVE: "modified"}
    diff = answer.document["sites"][0]["diff"]
    assert "+++ b/" + PAGE in diff and "+++ b/" + CONTENTS not in diff
    assert "the original file was not found" in answer.error["message"]
    answer = jhpatch(env, "apply")
    assert "jhpatch diff " + SAVE in answer.next
    assert "jhpatch apply " + OPEN in answer.next


def test_a_foreign_file_where_a_patch_adds_one(env, jhpatch):
    """No reinstallation removes it: the next step is to move it, and then apply goes on."""
    foreign = path(env, HELPERS[0])
    os.mkdir(os.path.dirname(foreign))
    with open(foreign, "w") as file:
        file.write("# older\n")
    answer = unchanged(jhpatch, env, (5, "apply"))
    assert answer.error["path"] == foreign
    assert answer.error["next"].startswith("move this file to another directory; then ")
    os.rename(foreign, foreign + ".old")
    assert jhpatch(env, "apply").code == 0 and jhpatch(env, "revert").code == 0
    assert os.listdir(os.path.dirname(foreign)) == [os.path.basename(foreign) + ".old"]


def test_unlisted_bytes_are_not_accepted(env, jhpatch):
    """--allow-unlisted does not accept unknown bytes."""
    rename_release(env, "5.99.0")
    append(env, PAGE)
    unchanged(jhpatch, env, (5, "apply", "--allow-unlisted"))


def test_an_unknown_release(env, jhpatch):
    """An unknown release: exit code 5, what it is, what is known, and the next command."""
    rename_release(env, "5.99.0")
    answer = unchanged(jhpatch, env, (3, "status"), (5, "diff"), (0, "revert"), (5, "apply"))
    assert answer.states == {OPEN: "unsupported", SAVE: "unsupported"}
    assert "5.99.0" in answer.error["found"]
    assert answer.error["expected"] == (
        "5.0.0 to 6.5.7 (nearest: 5.7.10 to 5.7.16 and 6.0.0 to 6.0.2)"
    )
    assert "--allow-unlisted" in answer.error["next"]


def test_another_build(env, jhpatch):
    """Bytes that RECORD confirms are another build, not an edit."""
    append(env, PAGE)
    digest = hashlib.sha256(data(env, PAGE)).digest()
    row = b"%s,sha256=%s,1" % (PAGE.encode(), base64.urlsafe_b64encode(digest).rstrip(b"="))
    lines = data(env, RECORD).splitlines()
    lines = [row if line.startswith(PAGE.encode() + b",") else line for line in lines]
    with open(path(env, RECORD), "wb") as file:
        file.write(b"\r\n".join(lines) + b"\r\n")
    answer = unchanged(jhpatch, env, (3, "status"), (5, "apply"))
    assert answer.states[OPEN] == "unsupported"
    assert "another build" in answer.error["message"]


@pytest.mark.parametrize("layout", ["editable", "symlink", "egg-link", "two"])
def test_a_layout_that_cannot_be_patched(env, jhpatch, layout):
    """Editable installs, eggs, symlinked files and two dist-infos are refused with the reason."""
    if layout == "editable":
        with open(path(env, INFO + "/direct_url.json"), "w") as file:
            json.dump({"url": "file:///x", "dir_info": {"editable": True}}, file)
    elif layout == "symlink":
        os.rename(path(env, PAGE), path(env, "elsewhere.py"))
        os.symlink(path(env, "elsewhere.py"), path(env, PAGE))
    elif layout == "egg-link":
        shutil.rmtree(path(env, INFO))
        with open(path(env, "notebook.egg-link"), "w") as file:
            file.write("/somewhere\n.")
    else:
        shutil.copytree(path(env, INFO), path(env, "notebook-5.7.8.dist-info"))
    answer = unchanged(jhpatch, env, (3, "status"), (0, "revert"), (5, "apply"))
    assert answer.states[OPEN] == "unsupported"
    assert "layout" in answer.error["message"]


def test_a_distribution_that_is_not_installed(env, jhpatch):
    """A distribution that is not installed is no finding; named, it is refused."""
    jhpatch(env, "apply")
    unchanged(jhpatch, env, (0, "status"), (0, "apply"))
    answer = unchanged(jhpatch, env, (5, "apply", "jupyterhub/kerberos-login"))
    assert "not installed" in answer.error["message"]


def test_nothing_to_patch(tmp_path, make_site, jhpatch):
    """A site with nothing to patch: exit code 5 for each command, with where to look."""
    env = make_site(tmp_path)
    answer = unchanged(jhpatch, env, (5, "status"), (5, "diff"), (5, "apply"), (5, "revert"))
    assert "--python" in answer.error["next"]


def test_a_modified_file_after_a_run_that_died(env, jhpatch):
    """A run that died is undone first; then a modified file is refused, and the rest is whole."""
    before = tree(env.site)
    die_during_apply(env)
    append(env, CONTENTS)
    answer = jhpatch(env, "apply")
    assert answer.code == 5
    after = {k: v for k, v in tree(env.site).items() if k != CONTENTS}
    assert after == {k: v for k, v in before.items() if k != CONTENTS}


def test_another_run_is_at_work(env, jhpatch):
    """While another run is at work: status and diff 4; apply and revert wait, then 4."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            put = transaction._put

            def waits(directory, name, temp):
                if name == "handlers.py":
                    os.read(read, 1)
                put(directory, name, temp)

            transaction._put = waits
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os._exit(main.main(["apply", "--python", env.python]))
        finally:
            os._exit(99)
    until(lambda: os.path.exists(path(env, ".jhpatch/journal.json")))
    answer = jhpatch(env, "status")
    assert (answer.code, set(answer.states.values())) == (4, {"busy"})
    assert jhpatch(env, "diff").code == 4
    assert jhpatch(env, "apply", "--lock-timeout", "0.2").code == 4
    assert jhpatch(env, "revert", "--lock-timeout", "0.2").code == 4
    os.write(write, b"go")
    assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 0
    assert jhpatch(env, "status").code == 0


@pytest.mark.parametrize(
    "name, text",
    [
        ("state.json", "{"),
        ("state.json", '{"schema": "99", "tool": "99", "distributions": []}'),
        ("state.json", '{"schema": 1, "tool": "0", "distributions": [{"name": "../x"}]}'),
        ("journal.json", "not JSON"),
        ("journal.json", '{"schema": 0}'),
    ],
)
def test_a_state_that_cannot_be_trusted(env, jhpatch, name, text):
    """An unreadable state or journal: exit code 1, nothing changed, the way back is printed."""
    jhpatch(env, "apply")
    with open(path(env, ".jhpatch/" + name), "w") as file:
        file.write(text)
    answer = unchanged(jhpatch, env, (1, "status"), (1, "diff"), (1, "apply"), (1, "revert"))
    assert "reinstall notebook==5.7.9" in answer.error["next"]
    assert "-name .jhpatch " in answer.error["next"]


@pytest.mark.parametrize("name", ["state.json", "journal.json"])
def test_the_state_of_a_newer_jhpatch(env, jhpatch, name):
    """Valid, but unknown to this version: the next step is the newer one, and removes nothing."""
    jhpatch(env, "apply")
    with open(path(env, ".jhpatch/" + name), "w") as file:
        file.write('{"schema": 99}')
    answer = unchanged(jhpatch, env, (1, "status"), (1, "diff"), (1, "apply"), (1, "revert"))
    assert answer.error["next"] == "run the newer jhpatch that wrote this file"
    assert "newer jhpatch" in answer.error["message"] and "invalid" not in answer.error["message"]


@ROOT_ONLY
def test_a_site_that_is_not_writable(env, jhpatch):
    """As another user: exit code 1 before the first write, with the owner and the sudo line."""
    make_reachable(os.path.dirname(env.prefix))
    jhpatch(env, "diff")  # loads all that the child, who may not read the checkout, needs
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            with os.fdopen(write, "w") as sys.stdout:
                code = main.main(["apply", "--site", env.site, "--json"])
            os._exit(code)
        finally:
            os._exit(99)
    os.close(write)
    with os.fdopen(read) as pipe:
        document = json.loads(pipe.read())
    assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 1, document
    error = document["sites"][0]["error"]
    assert "uid 0" in error["found"]
    words = " -m jhpatch apply --site %s --json" % env.site
    assert error["next"].startswith("sudo -H " + sys.executable) and error["next"].endswith(words)


def test_all_or_nothing(both, jhpatch):
    """One refused patch: no distribution is changed, and the others' command is printed."""
    with open(os.path.join(both.site, "jupyterhub/auth.py"), "a") as file:
        file.write("#")
    before = times(both.site)
    answer = jhpatch(both, "apply")
    assert answer.code == 5 and times(both.site) == before
    assert "jhpatch apply notebook/kerberos-open notebook/kerberos-save" in answer.next
    assert answer.error["next"].count(" --python " + both.python) == 2


def test_the_next_command_works_as_it_is_typed(both, jhpatch, tmp_path):
    """From any directory, with nothing on PATH; the pip that it names is the site's own."""
    os.mkdir(os.path.join(both.site, "pip"))
    with open(os.path.join(both.site, "jupyterhub/auth.py"), "a") as file:
        file.write("#")
    look, again = (
        jhpatch(both, "apply", "jupyterhub/kerberos-login").error["next"].split("; then ")
    )
    again = again.partition(";")[0]
    assert (
        again == both.python + " -I -m pip install --force-reinstall --no-deps jupyterhub==0.9.6"
    )
    done = subprocess.run(
        ["/bin/sh", "-c", look],
        cwd="/",
        env={"PYTHONPATH": ROOT, "PIP_CACHE_DIR": str(tmp_path / "cache")},
        stderr=subprocess.PIPE,
    )
    assert done.returncode == 5 and b"the original file was not found: jupyterhub/" in done.stderr


def test_a_file_belongs_to_one_patch(tmp_path, make_site, jhpatch):
    """The second patch that changes a file is refused, with both names."""
    env = make_site(tmp_path)
    before, after = {"our_app/a.py": b"a = 1\n"}, {"our_app/a.py": b"a = 2\n"}
    ours = own_patch(tmp_path, before, after, env.site)
    directory = os.path.join(ours, "our-app")
    shutil.copy(
        os.path.join(directory, "1.0-ours.patch"), os.path.join(directory, "1.0-twin.patch")
    )
    answer = jhpatch(env, "apply", "--patches", ours)
    assert answer.code == 5
    assert "our-app/ours" in answer.error["message"] and "our-app/twin" in answer.error["message"]


def test_a_source_that_does_not_compile_is_refused(tmp_path, make_site, jhpatch):
    """The environment's own Python compiles a patched file before the first write."""
    env = make_site(tmp_path)
    before, after = {"our_app/a.py": b"a = 1\n"}, {"our_app/a.py": b"a = = 2\n"}
    ours = own_patch(tmp_path, before, after, env.site)
    start = tree(env.site)
    answer = jhpatch(env, "apply", "--patches", ours)
    assert answer.code == 1 and "does not compile" in answer.error["message"]
    assert answer.error["path"] == os.path.join(env.site, "our_app/a.py")
    assert tree(env.site) == start


@ROOT_ONLY
def test_root_refuses_what_everybody_can_write(env, jhpatch):
    """A site that everybody can write: exit code 5, with the path and the mode; foretold, too."""
    os.chmod(env.site, 0o777)
    for options in ((), ("--dry-run",)):
        answer = jhpatch(env, "apply", *options)
        assert answer.code == 5, answer
        assert "777" in answer.error["found"] and answer.error["path"] == env.site


@ROOT_ONLY
@pytest.mark.parametrize("owner", [0, NOBODY])
@pytest.mark.parametrize("name", ["notebook", INFO, os.path.dirname(PAGE) + "/__pycache__"])
def test_root_refuses_a_directory_in_the_site_that_others_can_write(env, jhpatch, name, owner):
    """Exit code 5 before the first write; after the next step, the same command works."""
    directory = path(env, name)
    os.makedirs(directory, exist_ok=True)
    os.chown(directory, owner, owner)
    os.chmod(directory, 0o777 if owner == 0 else 0o755)
    assert unchanged(jhpatch, env, (5, "apply", "--dry-run")).error["path"] == directory
    answer = unchanged(jhpatch, env, (5, "apply"))
    assert answer.error["path"] == directory and "uid %d" % owner in answer.error["found"]
    if owner:
        assert "only the owner of the site can write " + directory in answer.error["next"]
        os.chown(directory, 0, 0)
    else:
        subprocess.run(answer.error["next"], shell=True, check=True)
    assert jhpatch(env, "apply").code == 0
    os.chown(directory, NOBODY, NOBODY)
    assert unchanged(jhpatch, env, (5, "revert")).error["path"] == directory


@ROOT_ONLY
@pytest.mark.parametrize("name", ["notebook", ".jhpatch/originals"])
def test_root_undoes_no_run_in_a_directory_that_others_can_write(env, jhpatch, name):
    """The undo of an interrupted run writes, too: it waits until only root can write."""
    before = tree(env.site)
    die_during_apply(env)
    os.chmod(path(env, name), 0o777)
    answer = unchanged(jhpatch, env, (5, "revert"))
    assert answer.error["path"] == path(env, name)
    subprocess.run(answer.error["next"], shell=True, check=True)
    assert jhpatch(env, "revert").code == 0 and tree(env.site) == before


@ROOT_ONLY
def test_a_directory_that_is_not_written_may_be_anybodys(env, jhpatch):
    """Only the directories of changed files count, not the templates beside them."""
    os.mkdir(path(env, "notebook/templates.d"))
    os.chmod(path(env, "notebook/templates.d"), 0o777)
    assert jhpatch(env, "apply").code == 0
