"""The command line: documents, exit codes, bad input, several environments at once."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from testing import ROOT
from testing.patch_files import own_patch
from testing.trees import times, tree

FIELDS = {"schema", "command", "dry_run", "changed", "would_change", "exit_code", "error", "sites"}
SITE_FIELDS = {
    *("site", "python", "owner", "journal", "changed", "would_change", "exit_code", "error"),
    *("patches", "restart"),
}
PATCH_FIELDS = {"patch", "edition", "version", "state", "changed", "reason", "files"}
ERROR_FIELDS = {"code", "message", "path", "expected", "found", "next"}


@pytest.fixture
def env(tmp_path, make_site):
    """notebook 5.7.9 and jupyterhub 0.9.6."""
    return make_site(tmp_path, [("notebook", "5.7.9"), ("jupyterhub", "0.9.6")], slim=True)


def typed(*arguments, cwd="/", environment=(), **more):
    """The command as a person types it, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "jhpatch"] + list(arguments),
        cwd=cwd,
        env=dict({"PYTHONPATH": ROOT, "PATH": os.defpath}, **dict(environment)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **more,
    )


def test_the_document_has_always_the_same_fields(env, jhpatch):
    """For each command, and for each kind of error."""
    for arguments in (["list"], ["status"], ["diff"], ["apply", "--dry-run"], ["revert"]):
        document = jhpatch(env, *arguments).document
        assert set(document) == FIELDS
        for site in document["sites"]:
            assert set(site) >= SITE_FIELDS
            for patch in site["patches"]:
                assert set(patch) >= PATCH_FIELDS
    for arguments, code in (
        (["status", "--python", "/nowhere"], 2),
        (["status", "--unknown"], 2),
        (["nonsense", "--json"], 2),
        (["--json"], 2),
        (["apply", "--lock-timeout", "soon"], 2),
        (["status", "--patches", "/nowhere"], 2),
    ):
        done = typed(*(arguments + ["--json"] * ("--json" not in arguments)))
        document = json.loads(done.stdout.decode())
        assert set(document) == FIELDS and set(document["error"]) == ERROR_FIELDS
        assert (done.returncode, document["exit_code"]) == (code, code), arguments
        assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["list", "status", "diff", "apply", "revert", "lint"])
def test_a_tree_of_patches_that_is_not_there_is_no_empty_one(command):
    """Exit code 2 and its name, also where no release would have needed it."""
    done = typed(command, "--patches", "/nowhere", "--json")
    error = json.loads(done.stdout.decode())["error"]
    assert done.returncode == 2
    assert (error["path"], error["found"]) == ("/nowhere", "nothing")
    assert error["next"].endswith(" --help")


def test_no_error_leaves_a_reader_without_a_next_command(tmp_path):
    """Of the command line, of a patch file, of a file: each has one that can be typed."""
    (tmp_path / "jupyterhub").mkdir()
    broken = tmp_path / "jupyterhub/6.1.0-broken.patch"
    broken.write_text("no header\n")
    for arguments, words in (
        (("apply", "--lock-timeout", "soon"), " -m jhpatch apply --help"),
        (("list", "--patches", str(tmp_path)), " -m jhpatch lint --patches " + str(tmp_path)),
    ):
        done = typed(*arguments, "--json")
        assert json.loads(done.stdout.decode())["error"]["next"].endswith(words), arguments
    said = typed("apply", "--lock-timeout", "soon").stderr.decode()
    assert "expected 0 to 86400 seconds, found 'soon'" in said


def test_files_say_what_was_expected_and_found(env, jhpatch):
    """With SHA-256, as documented."""
    (site,) = jhpatch(env, "status").document["sites"]
    patch = next(one for one in site["patches"] if one["patch"] == "jupyterhub/kerberos-login")
    file = patch["files"][0]
    assert file["path"] == "jupyterhub/auth.py" and file["state"] == "before"
    assert file["expected"] == file["found"] and file["found"].startswith("sha256:")
    assert site["owner"] == "pip"


def test_an_unknown_patch_is_a_usage_error(env, jhpatch):
    """With the names that there are; names compare as PEP 503 says."""
    answer = jhpatch(env, "apply", "notebook/kerberos-opem")
    assert answer.code == 2 and "notebook/kerberos-open" in answer.error["expected"]
    answer = jhpatch(env, "apply", "Notebook/kerberos-open")
    assert answer.code == 0 and answer.states["notebook/kerberos-open"] == "applied"
    assert answer.states["notebook/kerberos-save"] == "pristine"


def test_two_patches_in_every_order(env, jhpatch):
    """RECORD is a function of the original and of the set; the last revert gives all back."""
    before = tree(env.site)
    pair = ["notebook/kerberos-open", "notebook/kerberos-save"]
    seen = set()
    for first, second in (pair, pair[::-1]):
        jhpatch(env, "apply", first)
        jhpatch(env, "apply", second)
        seen.add(tree(env.site)["notebook-5.7.9.dist-info/RECORD"])
        for one in (first, second):
            assert jhpatch(env, "revert", one).code == 0
        assert tree(env.site) == before
    assert len(seen) == 1


def test_all_or_nothing(env, jhpatch):
    """One patch that is refused, and no distribution is changed; the others' command is told."""
    with open(os.path.join(env.site, "jupyterhub/auth.py"), "a") as file:
        file.write("#")
    before = times(env.site)
    answer = jhpatch(env, "apply")
    assert answer.code == 5 and times(env.site) == before
    assert "jhpatch apply notebook/kerberos-open notebook/kerberos-save" in answer.next
    assert answer.error["next"].count(" --python " + env.python) == 2


def test_the_next_command_works_as_it_is_typed(env, jhpatch):
    """From any folder, with nothing on the PATH; pip is the site's own."""
    with open(os.path.join(env.site, "jupyterhub/auth.py"), "a") as file:
        file.write("#")
    look, again = jhpatch(env, "apply", "jupyterhub/kerberos-login").error["next"].split("; then ")
    again = again.partition(";")[0]
    assert again == env.python + " -m pip install --force-reinstall --no-deps jupyterhub==0.9.6"
    done = subprocess.run(
        ["/bin/sh", "-c", look], cwd="/", env={"PYTHONPATH": ROOT}, stdout=subprocess.PIPE
    )
    assert done.returncode == 5 and b"+++ b/jupyterhub/auth.py" in done.stdout


def test_a_dry_run_writes_nothing_and_takes_no_lock(env, jhpatch):
    """It names each file that would change."""
    before = times(env.site)
    answer = jhpatch(env, "apply", "--dry-run")
    assert answer.document["dry_run"] and answer.document["would_change"]
    assert not answer.document["changed"]
    assert "would replace jupyterhub/auth.py" in answer.document["sites"][0]["notes"]
    assert times(env.site) == before


RECORDS = {
    "LF": lambda data: data.replace(b"\r\n", b"\n"),
    "no final newline": lambda data: data.rstrip(b"\r\n"),
    "twice": lambda data: data + data,
    "a name with a comma": lambda data: b'"a,b.py",,\r\n' + data,
    "no hashes": lambda data: b"".join(
        line.split(b",")[0] + b",,\n" for line in data.splitlines()
    ),
    "empty": lambda data: b"",
}


@pytest.mark.parametrize("kind", sorted(RECORDS))
def test_any_record_comes_back(env, jhpatch, kind):
    """Whatever form RECORD has, revert gives its bytes back."""
    path = os.path.join(env.site, "notebook-5.7.9.dist-info/RECORD")
    with open(path, "rb") as file:
        data = RECORDS[kind](file.read())
    with open(path, "wb") as file:
        file.write(data)
    before = tree(env.site)
    assert jhpatch(env, "apply").code == 0
    assert b"_jhpatch_kerberos.py" in open(path, "rb").read()
    assert jhpatch(env, "revert").code == 0
    assert tree(env.site) == before


def test_without_record_a_distribution_is_patched_by_hash_alone(env, jhpatch):
    """Debian's layout: an egg-info and no RECORD; the result says so."""
    info = os.path.join(env.site, "notebook-5.7.9.dist-info")
    egg = os.path.join(env.site, "notebook-5.7.9.egg-info")
    os.rename(info, egg)
    os.rename(os.path.join(egg, "METADATA"), os.path.join(egg, "PKG-INFO"))
    os.unlink(os.path.join(egg, "RECORD"))
    before = tree(env.site)
    answer = jhpatch(env, "apply")
    assert answer.code == 0
    assert any("no RECORD" in note for note in answer.document["sites"][0]["notes"])
    assert jhpatch(env, "revert").code == 0
    assert tree(env.site) == before


def test_a_record_that_others_changed_keeps_their_rows(env, jhpatch):
    """Something else has added a row since: revert takes back ours alone."""
    path = os.path.join(env.site, "notebook-5.7.9.dist-info/RECORD")
    original = open(path, "rb").read()
    jhpatch(env, "apply")
    with open(path, "ab") as file:
        file.write(b"theirs.py,,\r\n")
    assert jhpatch(env, "revert").code == 0
    assert open(path, "rb").read() == original + b"theirs.py,,\r\n"


def test_pip_takes_everything_away(env, jhpatch):
    """After apply, pip uninstall removes the helper too: RECORD lists it."""
    jhpatch(env, "apply")
    pip = pytest.importorskip("pip")
    home = os.path.dirname(os.path.dirname(pip.__file__))
    subprocess.run(
        [env.python, "-m", "pip", "uninstall", "-y", "-q", "notebook"],
        env=dict(os.environ, PYTHONPATH=home, PIP_DISABLE_PIP_VERSION_CHECK="1"),
        check=True,
    )
    assert not os.path.exists(os.path.join(env.site, "notebook-5.7.9.dist-info"))
    assert not os.path.exists(os.path.join(env.site, "notebook", "_jhpatch_kerberos.py"))


def test_several_environments(tmp_path, make_site, jhpatch):
    """Each with its own report; one refusal, and no site is changed."""
    one = make_site(tmp_path, [("notebook", "5.7.9")], name="one", slim=True)
    two = make_site(tmp_path, [("jupyterhub", "0.9.6")], name="two", slim=True)
    both = ["--python", one.python, "--python", two.prefix]
    answer = jhpatch(None, "apply", *both)
    assert answer.code == 0
    assert [site["changed"] for site in answer.document["sites"]] == [True, True]
    assert jhpatch(None, "revert", *both).code == 0
    with open(os.path.join(two.site, "jupyterhub/auth.py"), "a") as file:
        file.write("#")
    before = times(one.site)
    assert jhpatch(None, "apply", *both).code == 5
    assert times(one.site) == before


def test_a_failure_in_the_second_site_leaves_the_first(tmp_path, make_site, jhpatch):
    """Each site is atomic; earlier ones stay and are reported; the same command does the rest."""
    envs = [
        make_site(tmp_path, [("notebook", "5.7.9")], name=name, slim=True) for name in ("a", "b")
    ]
    envs.sort(key=lambda env: os.stat(env.site).st_ino)
    both = ["--python", envs[0].python, "--python", envs[1].python]
    folder = os.path.join(envs[1].site, "notebook/services/contents")
    if subprocess.run(["chattr", "+i", folder], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no immutable folders on this file system")
    before = tree(envs[1].site)
    try:
        answer = jhpatch(None, "apply", *both)
    finally:
        subprocess.run(["chattr", "-i", folder], check=True)
    assert answer.code == 1
    assert [site["changed"] for site in answer.document["sites"]] == [True, False]
    assert tree(envs[1].site) == before
    assert jhpatch(None, "apply", *both).code == 0


def test_a_tree_of_ones_own(tmp_path, make_site, jhpatch):
    """--patches: several files and an added one, for any distribution; revert needs no tree."""
    env = make_site(tmp_path)
    before = {"our_app/a.py": b"a = 1\n", "our_app/sub/b.py": b"b = 1\n"}
    after = {"our_app/a.py": b"a = 2\n", "our_app/sub/b.py": b"b = 2\n"}
    tree_of_ours = own_patch(tmp_path, before, after, env.site)
    start = tree(env.site)
    answer = jhpatch(env, "apply", "--patches", tree_of_ours, "OUR.app/ours")
    assert (answer.code, answer.states) == (0, {"our-app/ours": "applied"})
    with open(os.path.join(env.site, "our_app/sub/b.py"), "rb") as file:
        assert file.read() == after["our_app/sub/b.py"]
    assert os.path.exists(os.path.join(env.site, "our_app/extra.py"))
    assert jhpatch(env, "status").states == {"our-app/ours": "applied"}
    assert jhpatch(env, "revert").code == 0
    assert tree(env.site) == start


def test_a_file_belongs_to_one_patch(tmp_path, make_site, jhpatch):
    """The second patch that changes a file is refused, with both names."""
    env = make_site(tmp_path)
    before, after = {"our_app/a.py": b"a = 1\n"}, {"our_app/a.py": b"a = 2\n"}
    ours = own_patch(tmp_path, before, after, env.site)
    folder = os.path.join(ours, "our-app")
    shutil.copy(os.path.join(folder, "1.0-ours.patch"), os.path.join(folder, "1.0-twin.patch"))
    answer = jhpatch(env, "apply", "--patches", ours)
    assert answer.code == 5
    assert "our-app/ours" in answer.error["message"] and "our-app/twin" in answer.error["message"]


def test_a_source_that_does_not_compile_is_refused(tmp_path, make_site, jhpatch):
    """By the environment's own Python, before the first write."""
    env = make_site(tmp_path)
    before, after = {"our_app/a.py": b"a = 1\n"}, {"our_app/a.py": b"a = = 2\n"}
    ours = own_patch(tmp_path, before, after, env.site)
    start = tree(env.site)
    answer = jhpatch(env, "apply", "--patches", ours)
    assert answer.code == 1 and "does not compile" in answer.error["message"]
    assert answer.error["path"] == "our_app/a.py"
    assert tree(env.site) == start


def test_sites_outside_are_shown_and_not_changed(tmp_path, make_site, jhpatch):
    """A venv's system site is changed only when it is named with --site."""
    base = make_site(tmp_path, [("notebook", "5.7.9")], name="base", slim=True)
    venv = make_site(tmp_path, name="venv")
    with open(os.path.join(venv.prefix, "pyvenv.cfg"), "a") as file:
        text = "home = %s/bin\ninclude-system-site-packages = true\n" % base.prefix
        file.seek(0)
        file.truncate()
        file.write(text + "version = %d.%d.0\n" % sys.version_info[:2])
    before = times(base.site)
    answer = jhpatch(venv, "status")
    assert answer.states["notebook/kerberos-open"] == "pristine"
    answer = jhpatch(venv, "apply")
    assert answer.code == 5 and "--site " + base.site in answer.error["next"]
    assert times(base.site) == before
    assert jhpatch(venv, "revert").code == 0  # nothing to do
    assert jhpatch(None, "apply", "--site", base.site).code == 0
    answer = jhpatch(venv, "revert")
    assert answer.code == 5 and "--site " + base.site in answer.error["next"]
    assert jhpatch(None, "revert", "--site", base.site).code == 0


@pytest.mark.parametrize("command", ["status", "list", "diff", "apply", "revert"])
def test_text_survives_any_locale(env, command):
    """LC_ALL=C and paths that are not UTF-8: no traceback, and something to read."""
    odd = os.path.join(os.fsencode(os.path.dirname(env.prefix)), b"\xff \xc3\xa4\nx")
    os.rename(os.fsencode(env.prefix), odd)
    try:
        for extra in ([], ["--json"]):
            done = typed(
                command, "--python", os.fsdecode(odd), *extra, environment={"LC_ALL": "C"}
            )
            assert b"Traceback" not in done.stderr
            assert done.returncode in (0, 3), done.stderr
            if extra:
                (site,) = json.loads(done.stdout.decode("ascii"))["sites"]
                assert "site_b64" in site
    finally:
        os.rename(odd, os.fsencode(env.prefix))


def test_a_reader_that_goes_away_is_no_traceback(env):
    """``jhpatch diff | head -1``."""
    argv = [sys.executable, "-m", "jhpatch", "diff", "--python", env.python]
    child = subprocess.Popen(
        argv,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    child.stdout.close()
    talk = child.stderr.read()
    child.stderr.close()
    child.wait()
    assert b"Traceback" not in talk and b"Exception" not in talk, talk


def test_the_current_folder_is_not_imported_from(tmp_path, env):
    """A json.py that somebody left where root stands is not run."""
    for name in ("json.py", "argparse.py", "hashlib.py", "base64.py"):
        (tmp_path / name).write_text("raise SystemExit('planted')\n")
    if sys.version_info < (3, 7):
        return  # there runpy itself may come from the folder: README.md says what to type
    done = typed("status", "--json", "--python", env.python, cwd=str(tmp_path))
    assert done.returncode == 3, done.stderr
    assert b"planted" not in done.stdout + done.stderr


@pytest.mark.parametrize("option", ["-O", "-I"])
def test_odd_interpreters(env, option):
    """With -O, and isolated where jhpatch is installed."""
    code = (
        "import sys; sys.path.insert(0, %r); from jhpatch.cli.main import main; sys.exit(main())"
    )
    argv = [sys.executable, option, "-c", code % ROOT, "status", "--python", env.python]
    assert subprocess.run(argv, stdout=subprocess.PIPE, cwd="/").returncode == 3


def test_help_names_every_command():
    """And the exit codes."""
    from jhpatch.commands import COMMANDS

    done = typed("--help")
    text = done.stdout.decode()
    assert done.returncode == 0
    assert all(name in text for name in COMMANDS) and "exit codes" in text
    for name in COMMANDS:
        assert typed(name, "--help").returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to work for somebody else")
def test_root_becomes_the_owner_of_a_users_site(tmp_path, env, jhpatch):
    """Everything that is written in a user's environment is written as that user."""
    folder = os.path.dirname(env.prefix)
    while folder != "/":
        if not os.stat(folder).st_mode & 0o001:
            os.chmod(folder, 0o755)
        folder = os.path.dirname(folder)
    subprocess.run(["chown", "-hR", "nobody:", env.prefix], check=True)
    before = tree(env.site)
    answer = jhpatch(None, "apply", "--site", env.site)
    assert answer.code == 0, answer
    owners = {row[2] for row in tree(env.site).values()}
    assert owners == {65534}
    assert jhpatch(None, "status", "--site", env.site).code == 0
    assert jhpatch(None, "revert", "--site", env.site).code == 0
    assert tree(env.site) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_root_refuses_what_everybody_can_write(env, jhpatch):
    """A site that a group or everybody can write: 5, with the path and the mode."""
    os.chmod(env.site, 0o777)
    answer = jhpatch(env, "apply")
    assert answer.code == 5, answer
    assert "777" in answer.error["found"] and answer.error["path"] == env.site
