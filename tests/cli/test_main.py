"""The command line: what is parsed, one document for each outcome, help, version and quiet."""

import json
import sys

import pytest

from jhpatch import __version__
from jhpatch.cli import main
from jhpatch.commands import COMMANDS, EXAMPLES
from jhpatch.errors import Usage
from jhpatch.patchset import catalog
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


def test_the_help_names_every_command():
    """``--help`` has the commands and the exit codes."""
    done = typed("--help")
    text = done.stdout.decode()
    assert done.returncode == 0
    assert all(name in text for name in COMMANDS) and "exit codes" in text


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_help_of_each_command_has_an_example(command, capsys):
    """The help shows the example, and the parser takes it."""
    with pytest.raises(SystemExit) as ended:
        main.main([command, "--help"])
    assert not ended.value.code
    assert "python -m jhpatch " + EXAMPLES[command] in capsys.readouterr().out
    words = EXAMPLES[command].split()
    assert main.parser(command).parse_args(words).command == command


def test_the_version_names_the_newest_releases(capsys):
    """``--version`` has the tool, the Python and the newest release of each patch."""
    with pytest.raises(SystemExit) as ended:
        main.main(["--version"])
    assert not ended.value.code
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("jhpatch " + __version__) and sys.executable in first
    newest = catalog.Catalog((catalog.own_patch_dir(),)).newest()
    assert [tuple(line.split()) for line in rest] == [
        (patch, "to", newest[patch]) for patch in sorted(newest)
    ]


def test_quiet_prints_errors_alone(env, capsys):
    """Nothing on standard output; an error on standard error; the exit code as always."""
    assert main.main(["apply", "-q", "--python", env.python]) == 0
    assert main.main(["status", "--quiet", "--python", env.python]) == 0
    assert capsys.readouterr() == ("", "")
    append(env, PAGE)
    assert main.main(["apply", "-q", "--python", env.python]) == 5
    out, talk = capsys.readouterr()
    assert out == "" and PAGE in talk


@pytest.mark.parametrize("arguments", [[], ["--unknown"], ["nonsense"], ["apply", "--dry"]])
def test_a_wrong_command_line_is_a_usage_error(arguments, capsys):
    """Exit code 2 and a message with a next command; options are not abbreviated."""
    assert main.main(arguments) == 2
    out, talk = capsys.readouterr()
    assert out == "" and "next:" in talk and "--help" in talk


@pytest.mark.parametrize(
    "error, words",
    [
        (ZeroDivisionError("a bug"), "unexpected ZeroDivisionError: a bug"),
        (KeyboardInterrupt(), "interrupted; nothing is left half done"),
        (MemoryError(), "out of memory; nothing is left half done"),
        (OSError(28, "No space left on device", "/x"), "No space left on device"),
        (ImportError("no module"), "cannot load a part of Python: no module"),
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


def test_a_command_is_parsed_alone():
    """The parser of one command has its arguments; that of all knows their names."""
    parsed = main.parser("apply").parse_args(["apply", "--allow-unlisted", "a/b"])
    assert parsed.allow_unlisted and parsed.patch == ["a/b"]
    with pytest.raises(Usage):
        main.parser("apply").parse_args(["revert"])
