"""The command line's parser: options anywhere, help in the terminal's width, suggestions."""

import argparse
import importlib
import sys
from typing import Any, Callable, List, NoReturn, Optional

from jhpatch import __version__
from jhpatch.cli import terminal
from jhpatch.commands import COMMANDS, EXAMPLES
from jhpatch.commands.arguments import add_output_options
from jhpatch.errors import NextStep, Usage, jhpatch_command, similar_names, unknown_name

# argparse searches several directories for a translation of each message; there is none.
argparse._ = str  # type: ignore[attr-defined]

_EXIT_CODES = (
    "exit codes: 0 done or nothing to do; 1 failed; 2 usage error; 3 a check found a problem; "
    "4 another run holds the lock; 5 refused, nothing changed"
)
_ANYWHERE = ("--json", "-q", "--quiet", "-v", "--verbose")
"""The options that can also be typed before the command."""
_HARMLESS = {
    *("list", "status", "diff", "ticket", "doctor", "completion", "lint", "survey", "check"),
    *("help", "bash", "zsh", "fish"),
}
"""Commands, actions and shells that the correction of a typo may run."""
_HARMFUL = ("--force", "--allow-unlisted", "--fix-hashes")


class _Formatter(argparse.HelpFormatter):
    """A formatter for the terminal's width; argparse itself would import shutil to read it.

    Each line is a paragraph; an example, which is indented, is not wrapped.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=terminal.help_width())

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        import textwrap

        lines = text.splitlines()
        return "\n".join(
            line if line.startswith(" ") else textwrap.fill(line, width) for line in lines
        )


class _Parser(argparse.ArgumentParser):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **dict(options, formatter_class=_Formatter))
        for action in self._actions:
            action.help = "Show this help and exit"  # argparse's own, --help
        example = EXAMPLES.get(" ".join(self._words))
        if example and not self.epilog:
            self.epilog = "example:\n  python -m jhpatch %s\n\n%s" % (example, _EXIT_CODES)

    @property
    def _words(self) -> List[str]:
        """The command, and its action."""
        return self.prog.split(" ")[1:]

    def error(self, message: str) -> NoReturn:
        raise Usage(message, next=jhpatch_command(*self._words, "--help"))

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Suggest what is similar to an unknown command, action or shell."""
        if action.choices is not None and value not in action.choices:
            kind = str(action.metavar or action.dest).lower()
            names = list(action.choices)
            similar = similar_names(value, names)
            words = [*self._words, *(similar if len(similar) == 1 else [])]
            help_command = jhpatch_command(*words, "--help")
            raise unknown_name(kind, value, names, help_command, _HARMLESS.__contains__)

    def refuse_unknown(self, extras: List[str], parsed: argparse.Namespace) -> None:
        """Raise Usage for the first argument that no parser knows."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                below = action.choices.get(getattr(parsed, action.dest))
                if below is not None:
                    below.refuse_unknown(extras, parsed)
                    return
        unknown = [word for word in extras if word not in _ANYWHERE]
        if unknown and not unknown[0].startswith("-"):
            self.error("unrecognized arguments: " + " ".join(unknown))
        if unknown:
            help_command = jhpatch_command(*self._words, "--help")
            names = list(self._option_string_actions)
            raise _unknown_option(unknown[0].split("=")[0], names, help_command, _is_harmless)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Write help and version as results are written: in any locale, to any reader."""
        if message and terminal.output(message):
            raise SystemExit(1)

    def options(self) -> List[str]:
        """Return the options of the command and of all its actions."""
        names = list(self._option_string_actions)
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                names += [name for below in action.choices.values() for name in below.options()]
        return list(dict.fromkeys(names))


def _is_harmless(option: str) -> bool:
    return option not in _HARMFUL


def _unknown_option(
    name: str, options: List[str], next: NextStep, is_harmless: Callable[[str], bool]
) -> Usage:
    names = [option for option in options if option[:2] == "--"]
    error = unknown_name("option", name, names, next, is_harmless)
    error.expected = None  # the help lists all options
    return error


def parse(argv: List[str]) -> argparse.Namespace:
    """Parse the command line. Raises Usage."""
    argv = _in_order(argv)
    name = argv[0] if argv and argv[0] in COMMANDS else None
    if name is None and argv and argv[0].startswith("-"):
        _refuse_before_command(argv)
    whole = parser(name)
    parsed, extras = whole.parse_known_args(argv)
    if parsed.command is None:
        raise Usage(
            "a command is required",
            expected="one of " + ", ".join(COMMANDS),
            next=jhpatch_command("--help"),
        )
    whole.refuse_unknown(extras, parsed)
    return parsed


def _in_order(argv: List[str]) -> List[str]:
    """Return the arguments with the options before the command moved to the end.

    ``help COMMAND`` is ``COMMAND --help``.
    """
    count = next((n for n, word in enumerate(argv) if word not in _ANYWHERE), len(argv))
    words, options = argv[count:], argv[:count]
    if words[:1] == ["help"]:
        return [*words[1:], "--help"]
    end = words.index("--") if "--" in words else len(words)
    return words[:end] + options + words[end:]


def _refuse_before_command(argv: List[str]) -> None:
    """Raise Usage for an option before the command: one of the command, or an unknown one."""
    option = argv[0].split("=")[0]
    command = command_in(argv)
    if command is None or option in (*_ANYWHERE, "-h", "--help", "--version"):
        return
    help_command = jhpatch_command(command, "--help")
    options = parser(command).options()
    if option not in options:
        raise _unknown_option(option, options, help_command, _ANYWHERE.__contains__)
    raise Usage(
        "%s must be typed after the command" % option,
        expected="%s %s" % (command, option),
        found=option,
        next=help_command,
    )


class _Version(argparse.Action):
    """Print the version, the Python, and the newest release that each patch supports."""

    def __call__(self, parser: Any, *arguments: Any) -> NoReturn:
        from jhpatch.patchset import catalog

        newest = catalog.Catalog((catalog.own_patch_dir(),)).newest()
        values = (__version__, sys.version.split()[0], sys.executable)
        lines = ["jhpatch %s, Python %s (%s)" % values]
        lines += ["  %-34s up to %s" % (patch, newest[patch]) for patch in sorted(newest)]
        parser._print_message("\n".join(lines) + "\n")
        raise SystemExit(0)


def parser(name: Optional[str], whole: bool = False) -> _Parser:
    """Return the parser of a command; None stands for all, with arguments if ``whole`` is set."""
    parser = _Parser(
        prog="jhpatch",
        description="Apply versioned, verified and reversible patches to an installed "
        "JupyterHub, notebook or jupyter_server.",
        epilog=_EXIT_CODES,
        allow_abbrev=False,
    )
    help_text = (
        "Show the version of jhpatch, the newest release that each of its patches supports, and "
        "the version of Python"
    )
    parser.add_argument("--version", action=_Version, nargs=0, help=help_text)
    add_output_options(parser)
    # Given prog, argparse does not format a usage to derive it.
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", prog="jhpatch")
    for command, purpose in COMMANDS.items():
        if name not in (None, command):
            continue  # only the parser of the typed command is built
        subparser = commands.add_parser(
            command,
            help=purpose,
            description=purpose,
            allow_abbrev=False,
        )
        if whole or command == name:
            module_of(command).add_arguments(subparser)
    if name is None:
        subparser = commands.add_parser("help", help=_HELP, description=_HELP)
        subparser.add_argument("command", nargs="?", choices=list(COMMANDS), metavar="COMMAND")
    return parser


_HELP = "Show the help of a command"


def module_of(command: str) -> Any:
    """Return the module of a command."""
    return importlib.import_module("jhpatch.commands." + command)


def command_in(argv: List[str]) -> Optional[str]:
    """Return the command among the arguments, or None."""
    return next((word for word in argv if word in COMMANDS), None)
