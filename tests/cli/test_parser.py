"""The parser: help, typos, options before the command, and the version."""

import sys

import pytest

from jhpatch import __version__
from jhpatch.cli import main, parser
from jhpatch.commands import COMMANDS, EXAMPLES
from jhpatch.errors import Usage
from jhpatch.patchset import catalog
from testing.commands import typed


def test_the_help_names_every_command():
    """``--help`` has the commands and the exit codes."""
    done = typed("--help")
    text = done.stdout.decode()
    assert done.returncode == 0
    assert all(name in text for name in COMMANDS) and "exit codes" in text


def help_of(capsys, *arguments):
    """The help that a command line prints, which ends with exit code 0."""
    with pytest.raises(SystemExit) as ended:
        main.main(list(arguments))
    assert not ended.value.code
    return capsys.readouterr().out


@pytest.mark.parametrize("command", sorted(EXAMPLES))
def test_the_help_of_each_command_has_an_example(command, capsys):
    """The help shows the example of the command or action, and the parser takes it."""
    text = help_of(capsys, *command.split(), "--help")
    assert "python -m jhpatch %s\n" % EXAMPLES[command] in text and "exit codes:" in text
    assert help_of(capsys, "help", *command.split()) == text
    words = EXAMPLES[command].split()
    assert parser.parser(words[0]).parse_args(words).command == words[0]
    assert set(COMMANDS) <= set(EXAMPLES)


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_help_fits_the_terminal(columns, capsys, monkeypatch):
    """No line is longer than COLUMNS, or than 88 columns, but for an example."""
    monkeypatch.setenv("COLUMNS", str(columns))
    for arguments in (["--help"], ["apply", "--help"], ["kernelspec", "check", "--help"]):
        lines = help_of(capsys, *arguments).splitlines()
        assert max(len(line) for line in lines if "  python -m" not in line) <= min(columns, 88)


@pytest.mark.parametrize(
    "words, message",
    [
        ("--python x status", "--python must be typed after the command"),
        ("--spark-home x kernelspec check", "--spark-home must be typed after the command"),
        ("--wat status", "unknown option: --wat"),
        ("-x status", "unknown option: -x"),
    ],
)
def test_an_option_before_the_command(words, message, capsys):
    """Only an option of the command is misplaced; any other is unknown."""
    assert main.main(words.split()) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "typed_words, similar, step",
    [
        ("staus", "status", "status"),
        ("help staus", "status", "help status"),
        ("-v staus", "status", "-v status"),
        ("revret", "revert", "revert --help"),
        ("status --al", "--all", "status --all"),
        ("status --pyhton=x --pyhton=y", "--python", "status --python=x --pyhton=y"),
        ("apply --dry", "--dry-run", "apply --dry-run"),
        ("revert --forse", "--force", "revert --help"),
        ("kernelspec instal", "install", "kernelspec install --help"),
        ("nginx chek", "check", "nginx check"),
        ("completion bsh", "bash", "completion bash"),
        ("apply -q kerberos-login", "jupyterhub/kerberos-login", None),
        ("diff jupyterhub/kerberos-lgoin", "jupyterhub/kerberos-login", None),
        ("apply kerberos", None, "list"),
        ("nonsense", None, "--help"),
        ("status --zzz", None, "status --help"),
        ("--python x status", None, "status --help"),
        ("--wat status", None, "status --help"),
        ("--wat=x kernelspec install", None, "kernelspec --help"),
        ("--pyhton x status", "--python", "status --help"),
        ("--jsn status", "--json", "--json status"),
        ("--verson status", "--version", "status --help"),
    ],
)
def test_a_typo_is_corrected(typed_words, similar, step, capsys):
    """The error names what is similar; the next command is as typed, unless that is harmful."""
    arguments = typed_words.split()
    assert main.main(arguments) == 2
    talk = capsys.readouterr().err
    assert ("; did you mean %s?" % similar in talk) if similar else "did you mean" not in talk
    if step is None:
        step = " ".join(arguments[:-1] + [similar])
    assert talk.endswith(" -m jhpatch %s\n" % step)


def test_several_similar_names(capsys):
    """All are named, and none is typed for the user."""
    assert main.main(["kernelspec", "install", "--java-hom", "x", "--prefi", "y"]) == 2
    assert "did you mean --java-home?" in capsys.readouterr().err
    assert main.main(["nginx", "render", "--proxy"]) == 2
    talk = capsys.readouterr().err
    assert "did you mean --proxy-read-timeout or --proxy-protocol?" in talk
    assert talk.endswith(" -m jhpatch nginx render --help\n")


def test_options_of_every_command_come_before_it_too(env, capsys):
    """-q, -v and --json mean the same before the command and after it, an action or ``--``."""
    for words in (
        ["status", "--python", env.python],
        ["kernelspec", "list"],
        ["completion", "zsh"],
    ):
        codes = [main.main(arguments) for arguments in (["--json", *words], [*words, "--json"])]
        out = capsys.readouterr().out
        assert codes[0] == codes[1] and out[: len(out) // 2] * 2 == out and '"schema"' in out
    assert main.main(["-q", "apply", "--python", env.python, "--"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main.main(["kernelspec", "-v"]) == main.main(["-v", "kernelspec"]) == 2


def test_the_version_names_the_newest_releases(capsys):
    """``--version`` has the tool, the Python and the newest release of each patch."""
    with pytest.raises(SystemExit) as ended:
        main.main(["--version"])
    assert not ended.value.code
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("jhpatch " + __version__) and sys.executable in first
    newest = catalog.Catalog((catalog.own_patch_dir(),)).newest()
    assert [tuple(line.split()) for line in rest] == [
        (patch, "up", "to", newest[patch]) for patch in sorted(newest)
    ]


@pytest.mark.parametrize("arguments", [[], ["--unknown"], ["nonsense"], ["apply", "--zzz"]])
def test_a_wrong_command_line_is_a_usage_error(arguments, capsys):
    """Exit code 2 and a message with a next command; options are not abbreviated."""
    assert main.main(arguments) == 2
    out, talk = capsys.readouterr()
    assert out == "" and "next:" in talk and "--help" in talk


def test_a_command_is_parsed_alone():
    """The parser of one command has its arguments; that of all knows their names."""
    parsed = parser.parser("apply").parse_args(["apply", "--allow-unlisted", "a/b"])
    assert parsed.allow_unlisted and parsed.patch == ["a/b"]
    with pytest.raises(Usage):
        parser.parser("apply").parse_args(["revert"])
