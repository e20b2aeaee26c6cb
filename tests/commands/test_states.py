"""design: the state of a patch decides what status, diff, apply and revert do. Row by row."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from testing import ROOT
from testing.commands import die_between_modules
from testing.trees import times, tree

OPEN, SAVE = "notebook/kerberos-open", "notebook/kerberos-save"
PAGE = "notebook/notebook/handlers.py"
CONTENTS = "notebook/services/contents/handlers.py"
HELPER = "notebook/_jhpatch_kerberos.py"
INFO = "notebook-5.7.9.dist-info"


@pytest.fixture
def env(tmp_path, make_site):
    """notebook 5.7.9, as pip installed it: two patches that share RECORD and the helper."""
    return make_site(tmp_path, [("notebook", "5.7.9")], slim=True)


def path(env, name):
    """A file of the site."""
    return os.path.join(env.site, name)


def data(env, name):
    """Its bytes."""
    with open(path(env, name), "rb") as file:
        return file.read()


def append(env, name, text=b"# edited\n"):
    """One more line in a file."""
    with open(path(env, name), "ab") as file:
        file.write(text)


def reinstalled(env, make_site, tmp_path, helper_stays=False, version="5.7.9"):
    """The release's files again, as a package manager does it; conda leaves the helper."""
    other = make_site(tmp_path, [("notebook", version)], name="fresh-" + version, slim=True)
    for name in os.listdir(env.site):
        if name.startswith("notebook-"):
            shutil.rmtree(path(env, name))
    kept = data(env, HELPER)
    shutil.rmtree(path(env, "notebook"))
    for name in os.listdir(other.site):
        if name.startswith("notebook"):
            shutil.copytree(os.path.join(other.site, name), path(env, name))
    if helper_stays:
        with open(path(env, HELPER), "wb") as file:
            file.write(kept)


def older_jhpatch(tmp_path, version="0.1.0", helper=b"\n# an older helper\n"):
    """A copy of jhpatch with another helper; gives what runs it."""
    tool = tmp_path / ("tool-" + version)
    for name in ("jhpatch", "patches"):
        shutil.copytree(
            os.path.join(ROOT, name),
            str(tool / name),
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    shutil.copy(os.path.join(ROOT, "setup.py"), str(tool))
    with open(str(tool / "jhpatch/deployed/kerberos.py"), "ab") as file:
        file.write(helper)
    init = tool / "jhpatch/__init__.py"
    init.write_text(init.read_text().replace("0.1.0", version))

    def run(*arguments):
        argv = [sys.executable, "-m", "jhpatch"] + list(arguments)
        subprocess.run(argv, cwd=str(tool), check=True, stdout=subprocess.DEVNULL)

    return run


def died(env):
    """An apply that was killed between its first and its second module."""
    die_between_modules("apply", "--python", env.python)


def unchanged(jhpatch, env, *commands):
    """Runs commands that must not change the site: ``(code, arguments…)``."""
    before = times(env.site)
    for code, *arguments in commands:
        answer = jhpatch(env, *arguments)
        assert answer.code == code, (arguments, answer)
        if arguments == ["status"]:
            dry = jhpatch(env, "apply", "--dry-run")
            assert answer.document["would_change"] == dry.document["would_change"], dry
    assert times(env.site) == before
    return answer


def test_pristine(env, jhpatch):
    """status 3, diff shows the change, apply applies, revert has nothing to do."""
    before = tree(env.site)
    answer = unchanged(jhpatch, env, (3, "status"), (0, "revert"), (0, "apply", "--dry-run"))
    assert answer.states == {OPEN: "pristine", SAVE: "pristine"}
    assert answer.document["would_change"] is True
    answer = unchanged(jhpatch, env, (0, "diff"))
    shown = answer.document["sites"][0]["diff"]
    assert "+    @on_open\n" in shown and "+++ b/%s/RECORD" % INFO in shown
    assert "+++ b/" + HELPER in shown
    answer = jhpatch(env, "apply")
    assert (answer.code, answer.states) == (0, {OPEN: "applied", SAVE: "applied"})
    assert answer.document["changed"] is True
    changed = {name for name, now in tree(env.site).items() if before.get(name) != now}
    assert {name for name in changed if not name.startswith(".jhpatch")} == {
        PAGE,
        CONTENTS,
        HELPER,
        INFO + "/RECORD",
    }


def test_the_diff_is_what_apply_does(env, jhpatch, tmp_path):
    """patch(1) with the output of ``diff`` gives the very bytes that apply gives."""
    if not shutil.which("patch"):
        pytest.skip("no patch(1)")
    copy = str(tmp_path / "copy")
    shutil.copytree(env.site, copy)
    shown = jhpatch(env, "diff").document["sites"][0]["diff"]
    subprocess.run(
        ["patch", "-p1", "--binary", "-s"],
        cwd=copy,
        input=shown.encode("utf-8", "surrogateescape"),
        check=True,
    )
    jhpatch(env, "apply")
    for name in (PAGE, CONTENTS, HELPER, INFO + "/RECORD"):
        with open(os.path.join(copy, name), "rb") as file:
            assert file.read() == data(env, name), name


def test_applied(env, jhpatch):
    """status 0, diff empty, apply changes no byte and no mtime, revert gives all back."""
    before = tree(env.site)
    jhpatch(env, "apply")
    answer = unchanged(jhpatch, env, (0, "status"), (0, "apply"), (0, "diff"))
    assert answer.document["sites"][0]["diff"] == ""
    answer = jhpatch(env, "revert")
    assert (answer.code, answer.states) == (0, {OPEN: "pristine", SAVE: "pristine"})
    assert tree(env.site) == before


def test_applied_unrecorded(env, jhpatch):
    """Our bytes without our state: apply writes the record only, revert derives and proves."""
    before = tree(env.site)
    jhpatch(env, "apply")
    shutil.rmtree(path(env, ".jhpatch"))
    applied = tree(env.site)
    answer = unchanged(jhpatch, env, (0, "diff"), (0, "status"))
    assert answer.states == {OPEN: "applied", SAVE: "applied"}
    assert answer.reasons[OPEN] == "unrecorded"
    assert jhpatch(env, "apply").code == 0
    now = tree(env.site)
    assert {name: now[name] for name in applied} == applied
    assert os.path.exists(path(env, ".jhpatch/state.json"))
    shutil.rmtree(path(env, ".jhpatch"))
    assert jhpatch(env, "revert").code == 0
    assert tree(env.site)[PAGE] == before[PAGE]
    assert data(env, INFO + "/RECORD").count(b"_jhpatch") == 0
    assert {k: v[0] for k, v in tree(env.site).items() if "RECORD" not in k} == {
        k: v[0] for k, v in before.items() if "RECORD" not in k
    }


def test_outdated(env, jhpatch, tmp_path):
    """An older helper is replaced by today's, and revert gives back what pip installed."""
    before = tree(env.site)
    older_jhpatch(tmp_path)("apply", "--python", env.python)
    assert data(env, HELPER).endswith(b"# an older helper\n")
    answer = unchanged(jhpatch, env, (3, "status"), (0, "diff"))
    assert answer.states == {OPEN: "outdated", SAVE: "outdated"}
    assert "-# an older helper" in answer.document["sites"][0]["diff"]
    answer = jhpatch(env, "apply")
    assert (answer.code, answer.states) == (0, {OPEN: "applied", SAVE: "applied"})
    assert not data(env, HELPER).endswith(b"# an older helper\n")
    assert jhpatch(env, "revert").code == 0
    assert tree(env.site) == before


def test_outdated_reverts_too(env, jhpatch, tmp_path):
    """An older patch is taken back without the catalog that it came from."""
    before = tree(env.site)
    older_jhpatch(tmp_path)("apply", "--python", env.python)
    assert jhpatch(env, "revert").code == 0
    assert tree(env.site) == before


def test_outdated_by_a_newer_jhpatch(env, jhpatch, tmp_path):
    """What a newer jhpatch wrote is not replaced by an older one; revert is allowed."""
    older_jhpatch(tmp_path, version="9.9.9")("apply", "--python", env.python)
    answer = unchanged(jhpatch, env, (3, "status"), (5, "apply"))
    assert "9.9.9" in answer.error["found"]
    assert jhpatch(env, "revert").code == 0


def test_named_apply_carries_the_shared_helper(env, jhpatch, tmp_path):
    """Applying one of two patches gives both the new helper; the other is still outdated."""
    before = tree(env.site)
    older_jhpatch(tmp_path)("apply", "--python", env.python)
    answer = jhpatch(env, "apply", OPEN)
    assert (answer.code, answer.states) == (0, {OPEN: "applied", SAVE: "outdated"})
    assert jhpatch(env, "apply").states == {OPEN: "applied", SAVE: "applied"}
    assert jhpatch(env, "revert").code == 0
    assert tree(env.site) == before


@pytest.mark.parametrize("helper_stays", [False, True], ids=["pip", "conda"])
def test_superseded(env, jhpatch, make_site, tmp_path, helper_stays):
    """Installed again: status 3; apply applies anew, revert drops the record and the helper."""
    before = tree(env.site)
    jhpatch(env, "apply")
    reinstalled(env, make_site, tmp_path, helper_stays)
    answer = unchanged(jhpatch, env, (0, "diff"), (3, "status"))
    assert answer.states == {OPEN: "superseded", SAVE: "superseded"}
    assert jhpatch(env, "apply").states == {OPEN: "applied", SAVE: "applied"}
    reinstalled(env, make_site, tmp_path / "again", helper_stays)
    assert jhpatch(env, "revert").states == {OPEN: "pristine", SAVE: "pristine"}
    assert {k: v[0] for k, v in tree(env.site).items()} == {k: v[0] for k, v in before.items()}


def test_superseded_by_another_release(env, jhpatch, make_site, tmp_path, monkeypatch):
    """Upgraded to a release that one patch fits: the other is refused, the named one goes on."""
    fewer = str(tmp_path / "patches")
    shutil.copytree(os.path.join(ROOT, "patches"), fewer)
    os.unlink(os.path.join(fewer, "notebook", "5.7.10-kerberos-open.patch"))
    monkeypatch.setattr("jhpatch.patchset.catalog.own_tree", lambda: fewer)
    jhpatch(env, "apply")
    reinstalled(env, make_site, tmp_path, version="5.7.16")
    fresh = {k: v[0] for k, v in tree(env.site).items() if not k.startswith(".jhpatch")}
    answer = unchanged(jhpatch, env, (3, "status"), (5, "apply"))
    assert answer.states == {OPEN: "unsupported", SAVE: "superseded"}
    assert "jhpatch apply " + SAVE in answer.next
    assert jhpatch(env, "apply", SAVE).states[SAVE] == "applied"
    assert jhpatch(env, "revert").code == 0
    assert {k: v[0] for k, v in tree(env.site).items()} == fresh


def test_modified_with_a_record(env, jhpatch):
    """An edit on top of the patch: nothing is changed, and diff shows the edit."""
    before = tree(env.site)
    jhpatch(env, "apply")
    append(env, PAGE)
    answer = unchanged(jhpatch, env, (3, "status"), (5, "apply"), (5, "revert"), (5, "diff"))
    assert answer.states == {OPEN: "modified", SAVE: "applied"}
    assert answer.document["sites"][0]["diff"].splitlines()[-1] == "+# edited"
    assert answer.error["path"].endswith(PAGE)
    assert answer.error["expected"] != answer.error["found"]
    edited = data(env, PAGE)
    answer = jhpatch(env, "revert", "--force")
    assert answer.code == 0
    now = tree(env.site)
    (kept,) = [name for name in now if name.startswith(".jhpatch/forced/")]
    assert data(env, kept) == edited
    assert {k: v for k, v in now.items() if not k.startswith(".jhpatch")} == before


def test_modified_without_a_record(env, jhpatch):
    """One byte other than the release's: exit 5, the diff to look at, nothing touched."""
    append(env, CONTENTS, b"#")
    answer = unchanged(
        jhpatch, env, (3, "status"), (5, "apply"), (5, "revert", "--force"), (5, "diff")
    )
    assert answer.states == {OPEN: "pristine", SAVE: "modified"}
    assert "@on_save" in answer.document["sites"][0]["diff"]
    answer = jhpatch(env, "apply")
    assert "jhpatch diff " + SAVE in answer.next
    assert "jhpatch apply " + OPEN in answer.next


def test_force_never_overwrites_another_release(env, jhpatch, make_site, tmp_path):
    """``revert --force`` is for an edited file, not for one of a newer release."""
    jhpatch(env, "apply")
    reinstalled(env, make_site, tmp_path, version="5.7.8")
    append(env, PAGE)
    answer = unchanged(jhpatch, env, (5, "revert", "--force"))
    assert answer.states[OPEN] == "modified"


def _as_release(env, version):
    """Today's bytes under another version."""
    info = path(env, INFO)
    with open(os.path.join(info, "METADATA"), encoding="utf-8") as file:
        text = file.read()
    with open(os.path.join(info, "METADATA"), "w", encoding="utf-8") as file:
        file.write(text.replace("Version: 5.7.9", "Version: " + version, 1))
    os.rename(info, path(env, "notebook-%s.dist-info" % version))


def test_unsupported_release(env, jhpatch):
    """An unknown release: exit 5, what it was, what is known, and the next command."""
    _as_release(env, "5.99.0")
    answer = unchanged(jhpatch, env, (3, "status"), (5, "diff"), (0, "revert"), (5, "apply"))
    assert answer.states == {OPEN: "unsupported", SAVE: "unsupported"}
    assert "5.99.0" in answer.error["found"]
    assert answer.error["expected"] == (
        "5.0.0 to 6.5.7, the nearest 5.7.10 to 5.7.16 and 6.0.0 to 6.0.2"
    )
    assert "--allow-unlisted" in answer.error["next"]


def test_allow_unlisted(env, jhpatch):
    """Known bytes of an unknown release are accepted when somebody says so."""
    _as_release(env, "5.99.0")
    before = tree(env.site)
    answer = jhpatch(env, "apply", "--allow-unlisted")
    assert (answer.code, answer.states) == (0, {OPEN: "applied", SAVE: "applied"})
    assert jhpatch(env, "status").code == 0
    assert jhpatch(env, "revert").code == 0
    assert tree(env.site) == before


def test_unlisted_bytes_are_not_accepted(env, jhpatch):
    """--allow-unlisted does not accept bytes that are nobody's."""
    _as_release(env, "5.99.0")
    append(env, PAGE)
    unchanged(jhpatch, env, (5, "apply", "--allow-unlisted"))


def test_unsupported_build(env, jhpatch):
    """Bytes that RECORD confirms are another build, not an edit."""
    import base64
    import hashlib

    append(env, PAGE)
    digest = hashlib.sha256(data(env, PAGE)).digest()
    row = b"%s,sha256=%s,1" % (PAGE.encode(), base64.urlsafe_b64encode(digest).rstrip(b"="))
    lines = data(env, INFO + "/RECORD").splitlines()
    lines = [row if line.startswith(PAGE.encode() + b",") else line for line in lines]
    with open(path(env, INFO + "/RECORD"), "wb") as file:
        file.write(b"\r\n".join(lines) + b"\r\n")
    answer = unchanged(jhpatch, env, (3, "status"), (5, "apply"))
    assert answer.states[OPEN] == "unsupported"
    assert "another build" in answer.error["message"]


@pytest.mark.parametrize("layout", ["editable", "symlink", "egg-link", "two"])
def test_unsupported_layout(env, jhpatch, layout):
    """Editable installs, eggs, symlinked files, two dist-infos: refused with the reason."""
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


def test_unsupported_release_with_a_record(env, jhpatch, make_site, tmp_path):
    """Upgraded to an unknown release: revert drops the record and what conda left."""
    jhpatch(env, "apply")
    reinstalled(env, make_site, tmp_path, helper_stays=True, version="4.4.1")
    answer = unchanged(jhpatch, env, (3, "status"), (5, "apply"))
    assert answer.states == {OPEN: "unsupported", SAVE: "unsupported"}
    assert jhpatch(env, "revert").code == 0
    assert not os.path.exists(path(env, HELPER))
    assert not os.path.exists(path(env, ".jhpatch"))


def test_not_needed(tmp_path, make_site, jhpatch):
    """notebook 7: nothing to do, and the reason says why."""
    env = make_site(tmp_path, [("notebook", "7.6.5")], slim=True)
    answer = unchanged(jhpatch, env, (0, "status"), (0, "diff"), (0, "revert"), (0, "apply"))
    assert answer.states == {OPEN: "not-needed", SAVE: "not-needed"}
    assert "jupyter_server" in answer.reasons[OPEN]


def test_not_needed_with_leftovers(env, jhpatch, make_site, tmp_path):
    """Upgraded to notebook 7 with a helper left behind: status 3, apply drops what is left."""
    jhpatch(env, "apply")
    reinstalled(env, make_site, tmp_path, helper_stays=True, version="7.6.5")
    assert unchanged(jhpatch, env, (3, "status")).states[OPEN] == "not-needed"
    assert jhpatch(env, "apply").code == 0
    assert not os.path.exists(path(env, HELPER))
    assert not os.path.exists(path(env, ".jhpatch"))
    assert jhpatch(env, "status").code == 0


def test_absent(env, jhpatch):
    """A distribution that is not installed: no finding; named, it is refused."""
    jhpatch(env, "apply")
    unchanged(jhpatch, env, (0, "status"), (0, "apply"))
    answer = unchanged(jhpatch, env, (5, "apply", "jupyterhub/kerberos-login"))
    assert "not installed" in answer.error["message"]


@pytest.mark.parametrize("command", ["apply", "revert"])
def test_absent_with_leftovers(env, jhpatch, command):
    """Removed by a manager that does not know the helper: what is left goes."""
    jhpatch(env, "apply")
    shutil.rmtree(path(env, INFO))
    for name in (PAGE, CONTENTS):
        os.unlink(path(env, name))
    answer = unchanged(jhpatch, env, (3, "status"))
    assert answer.all_states[OPEN] == "absent"
    assert jhpatch(env, command).code == 0
    assert not os.path.exists(path(env, HELPER))
    assert not os.path.exists(path(env, ".jhpatch"))


def test_all_absent(tmp_path, make_site, jhpatch):
    """Nothing here that a patch is for: 5 for each command, with where to look."""
    env = make_site(tmp_path)
    answer = unchanged(jhpatch, env, (5, "status"), (5, "diff"), (5, "apply"), (5, "revert"))
    assert "--python" in answer.error["next"]


def test_interrupted(env, jhpatch):
    """status and diff write nothing; the next apply restores and applies."""
    before = tree(env.site)
    died(env)
    answer = unchanged(jhpatch, env, (0, "diff"), (0, "apply", "--dry-run"), (3, "status"))
    assert set(answer.states.values()) == {"interrupted"}
    assert answer.document["sites"][0]["journal"] == "interrupted"
    answer = jhpatch(env, "apply")
    assert (answer.code, answer.states) == (0, {OPEN: "applied", SAVE: "applied"})
    assert "an earlier run" in answer.document["sites"][0]["notes"][0]
    assert jhpatch(env, "revert").code == 0
    assert tree(env.site) == before


def test_interrupted_then_reverted(env, jhpatch):
    """revert after a crash gives what pip had installed."""
    before = tree(env.site)
    died(env)
    assert jhpatch(env, "revert").code == 0
    assert tree(env.site) == before


def test_interrupted_then_refused(env, jhpatch):
    """Restored first, then the row that holds: a modified file is refused, the rest is whole."""
    before = tree(env.site)
    died(env)
    append(env, "notebook/services/contents/handlers.py")
    answer = jhpatch(env, "apply")
    assert answer.code == 5
    after = {k: v for k, v in tree(env.site).items() if k != CONTENTS}
    assert after == {k: v for k, v in before.items() if k != CONTENTS}


def test_busy(env, jhpatch):
    """While another run is at work: status 4, diff 4, apply waits, then 4."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        from jhpatch.cli import main
        from jhpatch.transaction import transaction

        put = transaction._put

        def waits(folder, name, temp):
            if name == "handlers.py":
                os.read(read, 1)
            put(folder, name, temp)

        transaction._put = waits
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(main.main(["apply", "--python", env.python]))
    while not os.path.exists(path(env, ".jhpatch/journal.json")):
        pass
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
        ("state.json", '{"schema": 99, "tool": "99", "distributions": []}'),
        ("state.json", '{"schema": 1, "tool": "0", "distributions": [{"name": "../x"}]}'),
        ("journal.json", "not JSON"),
        ("journal.json", '{"schema": 99}'),
    ],
)
def test_state_that_cannot_be_believed(env, jhpatch, name, text):
    """1 for each command, nothing changed, and the way back is printed."""
    jhpatch(env, "apply")
    with open(path(env, ".jhpatch/" + name), "w") as file:
        file.write(text)
    answer = unchanged(jhpatch, env, (1, "status"), (1, "diff"), (1, "apply"), (1, "revert"))
    assert "pip install --force-reinstall" in answer.error["next"]
    assert "notebook==5.7.9" in answer.error["next"]


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to become somebody else")
def test_a_site_that_is_not_writable(env, jhpatch):
    """As another user: 1 before the first write, with the owner and the sudo line."""
    folder = os.path.dirname(env.prefix)
    while folder != "/":
        if not os.stat(folder).st_mode & 0o001:
            os.chmod(folder, 0o755)
        folder = os.path.dirname(folder)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        from jhpatch.cli import main
        from jhpatch.system import compiler  # noqa: F401

        main.main(["diff", "--python", env.python, "--json"])  # loads all that is needed
        os.setgid(65534)
        os.setuid(65534)
        with os.fdopen(write, "w") as sys.stdout:
            code = main.main(["apply", "--site", env.site, "--json"])
        os._exit(code)
    code = os.WEXITSTATUS(os.waitpid(pid, 0)[1])
    os.close(write)
    with os.fdopen(read) as pipe:
        document = json.loads(pipe.read())
    error = document["sites"][0]["error"]
    assert code == 1, document
    assert "uid 0" in error["found"] and "sudo" in error["next"]


def test_force_keeps_an_edited_helper_too(env, jhpatch):
    """What somebody has written into the added file is kept before the file goes."""
    jhpatch(env, "apply")
    append(env, HELPER)
    edited = data(env, HELPER)
    answer = unchanged(jhpatch, env, (5, "revert"), (5, "apply"))
    assert answer.states == {OPEN: "modified", SAVE: "modified"}
    assert jhpatch(env, "revert", "--force").code == 0
    (kept,) = os.listdir(path(env, ".jhpatch/forced"))
    assert data(env, ".jhpatch/forced/" + kept) == edited
    assert not os.path.exists(path(env, HELPER))


def test_allow_unlisted_over_a_record(env, jhpatch):
    """Applied, then the release's bytes again under a number that nobody knows."""
    before = {name: data(env, name) for name in (PAGE, CONTENTS, INFO + "/RECORD")}
    jhpatch(env, "apply")
    for name, original in before.items():
        with open(path(env, name), "wb") as file:
            file.write(original)
    _as_release(env, "5.99.0")
    assert jhpatch(env, "status").states == {OPEN: "unsupported", SAVE: "unsupported"}
    answer = jhpatch(env, "apply", "--allow-unlisted")
    assert (answer.code, answer.states) == (0, {OPEN: "applied", SAVE: "applied"})
    assert jhpatch(env, "revert").code == 0
    assert not os.path.exists(path(env, HELPER))
    assert data(env, PAGE) == before[PAGE]
