"""The command line: one document for each outcome, errors, quiet, and the next command."""

import json
import os
import subprocess

import patch_ng
import pytest

from jhpatch.cli import main
from testing import ROOT
from testing.commands import typed
from testing.notebook_site import PAGE, append

FIELDS = {"schema", "command", "dry_run", "changed", "would_change", "exit_code", "error", "sites"}
SITE_FIELDS = {
    *("site", "python", "owner", "journal", "changed", "would_change", "exit_code", "error"),
    *("patches", "restart"),
}
PATCH_FIELDS = {"patch", "edition", "version", "state", "changed", "reason", "files"}
ERROR_FIELDS = {"code", "message", "path", "expected", "found", "next"}


def test_a_document_always_has_the_same_fields(env, jhpatch):
    """Each command on a site, and each kind of usage error, has all documented fields."""
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
def test_a_missing_patch_directory_is_a_usage_error(command):
    """Exit code 2 with its path, also where no release would have needed it."""
    done = typed(command, "--patches", "/nowhere", "--json")
    error = json.loads(done.stdout.decode())["error"]
    assert done.returncode == 2
    assert (error["path"], error["found"]) == ("/nowhere", "nothing")
    assert error["next"].endswith(" --help")


def test_each_error_has_a_next_command(tmp_path):
    """An error of the command line and of a patch file has a command that can be typed."""
    (tmp_path / "jupyterhub").mkdir()
    broken = tmp_path / "jupyterhub/6.1.0-broken.patch"
    broken.write_text("no header\n")
    for arguments, words in (
        (("apply", "--lock-timeout", "soon"), " -m jhpatch apply --help"),
        (("list", "--patches", str(tmp_path)), " -m jhpatch lint --patches " + str(tmp_path)),
    ):
        done = typed(*arguments, "--json")
        assert json.loads(done.stdout.decode())["error"]["next"].endswith(words), arguments
    text = typed("apply", "--lock-timeout", "soon").stderr.decode()
    assert "expected 0 to 86400 seconds, found 'soon'" in text


def test_quiet_prints_errors_alone(env, capsys):
    """Nothing on standard output; an error on standard error; the exit code as always."""
    assert main.main(["apply", "-q", "--python", env.python]) == 0
    assert main.main(["status", "--quiet", "--python", env.python]) == 0
    assert capsys.readouterr() == ("", "")
    append(env, PAGE)
    assert main.main(["apply", "-q", "--python", env.python]) == 5
    out, talk = capsys.readouterr()
    assert out == "" and PAGE in talk


@pytest.mark.parametrize(
    "error, words",
    [
        (ZeroDivisionError("a bug"), "unexpected ZeroDivisionError: a bug"),
        (KeyboardInterrupt(), "interrupted; no site is half changed"),
        (MemoryError(), "out of memory; no site is half changed"),
        (OSError(28, "No space left on device", "/x"), "No space left on device"),
        (ImportError("no module"), "cannot import a module: no module"),
    ],
)
def test_any_exception_becomes_an_error(monkeypatch, capsys, error, words):
    """Exit code 1 and a line with a next command; -v adds where it happened."""

    def run(parsed):
        raise error

    monkeypatch.setattr("jhpatch.commands.completion.run", run)
    for verbose in ([], ["-v"]):
        assert main.main(["completion", "bash", *verbose]) == 1
        talk = capsys.readouterr().err
        assert "jhpatch: " + words in talk and "next:" in talk
        assert ("Traceback" in talk) == bool(verbose)


@pytest.mark.parametrize(
    "command, module, step",
    [
        (["survey"], "survey", "-m jhpatch survey"),
        (["rebase", "a/b", "--to", "1"], "rebase", "-m jhpatch rebase a/b --to 1"),
        (["completion", "bash"], "completion", "-m jhpatch completion bash"),
        (["status"], "status", "-m jhpatch status"),
        (["apply"], "apply", "-m jhpatch status"),
    ],
)
def test_the_next_step_after_an_interruption(monkeypatch, capsys, command, module, step):
    """``status`` for a command that inspects sites; for any other, the command itself."""

    def run(parsed):
        raise KeyboardInterrupt

    monkeypatch.setattr("jhpatch.commands.%s.run" % module, run)
    assert main.main(command) == 1
    assert capsys.readouterr().err.endswith(step + "\n")


def test_a_missing_package_is_named_as_one(monkeypatch, capsys):
    """The next step installs the package, whichever module imports it; -v needs no traceback."""

    def run(parsed):
        raise ModuleNotFoundError("No module named 'packaging'", name="packaging.version")

    monkeypatch.setattr("jhpatch.commands.completion.run", run)
    assert main.main(["completion", "bash", "--json"]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "missing-module"
    assert error["message"] == "a package that jhpatch needs is not installed: packaging"
    assert "packaging" in error["next"] and "status" not in error["next"]


def test_permission_denied_is_not_a_fault_of_jhpatch(monkeypatch, capsys):
    """The error names the file, the user and who has to run the command."""

    def run(parsed):
        raise PermissionError(13, "Permission denied", "/x/RECORD")

    monkeypatch.setattr("jhpatch.commands.completion.run", run)
    assert main.main(["completion", "bash", "--json"]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["path"], error["found"]) == ("/x/RECORD", "permission denied")
    assert error["expected"] == "a path that uid %d can access" % os.geteuid()
    assert error["next"] == "run the same command as a user who can access the path"


@pytest.fixture
def installed(tmp_path, make_site):
    """An environment that has jhpatch, its patches and what it needs, and notebook 5.7.9."""
    env = make_site(tmp_path, [("notebook", "5.7.9")], slim=True)
    for name in ("jhpatch", "patches", "setup.py"):
        os.symlink(os.path.join(ROOT, name), os.path.join(env.site, name))
    os.symlink(patch_ng.__file__, os.path.join(env.site, "patch_ng.py"))
    return env


def next_of(env, *flags, **environ):
    """The last line of status, run by that Python."""
    argv = [env.python, *flags, "-m", "jhpatch", "status"]
    environ = dict({"PATH": os.defpath}, **environ)
    done = subprocess.run(argv, cwd="/", env=environ, stdout=subprocess.PIPE)
    return done.stdout.decode().splitlines()[-1]


def test_the_next_command_has_the_isolation_of_this_run(installed):
    """With -I, or as root where -I finds jhpatch; typed as printed, it works."""
    python = "next: %s " % installed.python
    line = next_of(installed, "-I")
    assert line == python + "-I -m jhpatch apply"
    isolated = "-I " if os.geteuid() == 0 else ""
    assert next_of(installed) == python + isolated + "-m jhpatch apply"
    assert subprocess.call(line[len("next: ") :].split(), stdout=subprocess.DEVNULL) == 0


def test_no_isolation_where_it_would_not_find_jhpatch(installed):
    """A checkout in PYTHONPATH is not on the path of ``python -I``."""
    os.unlink(os.path.join(installed.site, "jhpatch"))
    line = next_of(installed, PYTHONPATH=ROOT)
    assert line == "next: %s -m jhpatch apply" % installed.python
