"""The command line: parse, dispatch, print once, and turn errors into exit codes."""

import argparse
import importlib
import os
import sys
from typing import Any, List, NoReturn, Optional, Tuple

from jhpatch import __version__
from jhpatch.cli import terminal
from jhpatch.commands import COMMANDS, EXAMPLES
from jhpatch.errors import Failed, JhpatchError, Usage, jhpatch_command
from jhpatch.report.next_command import MAINTENANCE, Runner
from jhpatch.report.result import Result, Script, Sites, error_of, with_fallbacks
from jhpatch.report.text import Style

# argparse searches three directories for the translation of each message; none exists.
argparse._ = str  # type: ignore[attr-defined]

_EXIT_CODES = """\
exit codes: 0 done or nothing to do; 1 failed; 2 usage; 3 a check found something;
4 another run holds the lock; 5 refused, nothing changed"""


def _formatter(prog: str) -> argparse.HelpFormatter:
    """Return a formatter with a fixed width: argparse imports shutil to read the terminal's."""
    return argparse.RawDescriptionHelpFormatter(prog, width=88)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Usage(message, next=jhpatch_command(*self.prog.split(" ")[1:], "--help"))

    def _print_message(self, message: str, file: Any = None) -> None:
        """Write help and version as results are written: in any locale, to any reader."""
        if message and terminal.output(message):
            raise SystemExit(1)


def main(argv: Optional[List[str]] = None) -> int:
    """Run one command; return the exit code of the process."""
    arguments = sys.argv[1:] if argv is None else argv
    verbose = bool({"-v", "--verbose"} & set(arguments))
    quiet = bool({"-q", "--quiet"} & set(arguments))
    as_json = "--json" in arguments
    runner = Runner(sys.executable or "python")
    try:
        with terminal.interruptible():
            parsed = _parse(arguments)
            runner = _runner(parsed)
            _preload(as_json)
            parsed.environ = os.environ
            run = _module(parsed.command).run
            if getattr(parsed, "watch", None):
                return _watch(run, parsed, as_json, runner)
            messages = terminal.Messages(as_json or quiet)
            parsed.step, parsed.say = messages.step, messages.say
            try:
                result = run(parsed)
            finally:
                messages.end()
            runner = _runner(parsed)  # status --all adds the environments that it finds
    except JhpatchError as error:
        result = _failure(arguments, error)
    except (KeyboardInterrupt, Exception) as error:
        if verbose:
            _trace()
        result = _failure(arguments, Failed(*_describe(error), next=_NEXT))
    return _print(with_fallbacks(result), runner, as_json, verbose, quiet)


def _runner(arguments: argparse.Namespace) -> Runner:
    """Return the Python and the options of this command, for the next command to type."""

    def options(*names: str) -> Tuple[str, ...]:
        pairs = (("--" + name, value) for name in names for value in getattr(arguments, name, []))
        return tuple(argument for pair in pairs for argument in pair)

    python = sys.executable or "python"
    return Runner(python, options("python", "site", "patches"), options("patches"))


def _watch(run: Any, parsed: argparse.Namespace, as_json: bool, runner: Runner) -> int:
    style = terminal.style(parsed.verbose)

    def text_of(result: Result) -> str:
        return _json(result, runner, None) if as_json else _text(result, style, runner)

    redraw = style.terminal and not as_json
    return terminal.watch(lambda: run(parsed), text_of, parsed.watch, redraw)


def _preload(as_json: bool) -> None:
    """Import the output module now: a failure after a change would hide its result."""
    importlib.import_module("json" if as_json else "jhpatch.report.site_text")


def _failure(argv: List[str], error: JhpatchError) -> Result:
    return Result(_command(argv), error=error_of(error), own_exit_code=error.exit_code)


_NEXT = jhpatch_command("status") + "; the same command with -v shows where it happened"


def _describe(error: BaseException) -> Tuple[str, Optional[str]]:
    """Return the message and the path of an error that is no JhpatchError."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; nothing is left half done", None
    if isinstance(error, MemoryError):
        return "out of memory; nothing is left half done", None
    if isinstance(error, ImportError):
        return "cannot load a part of Python: %s" % error, error.path
    if isinstance(error, OSError):
        filename = error.filename
        path = os.fsdecode(filename) if isinstance(filename, (str, bytes)) else None
        return error.strerror or str(error), path
    return "unexpected %s: %s" % (type(error).__name__, error), None


def _trace() -> None:
    import traceback

    terminal.error_output(traceback.format_exc())


def _parse(argv: List[str]) -> argparse.Namespace:
    """Parse the command line. Raises Usage."""
    arguments = parser(argv[0] if argv and argv[0] in COMMANDS else None).parse_args(argv)
    if arguments.command is None:
        raise Usage(
            "no command",
            expected="one of " + ", ".join(COMMANDS),
            next=jhpatch_command("--help"),
        )
    return arguments


class _Version(argparse.Action):
    """Print the version, the Python, and the newest release of each patch."""

    def __call__(self, parser: Any, *arguments: Any) -> NoReturn:
        from jhpatch.patchset import catalog

        newest = catalog.Catalog((catalog.own_patch_dir(),)).newest()
        values = (__version__, sys.version.split()[0], sys.executable)
        lines = ["jhpatch %s, Python %s (%s)" % values]
        lines += ["  %-34s to %s" % (patch, newest[patch]) for patch in sorted(newest)]
        parser._print_message("\n".join(lines) + "\n")
        raise SystemExit(0)


def parser(name: Optional[str], whole: bool = False) -> argparse.ArgumentParser:
    """Return the parser of the command ``name``; for None of all, with arguments if ``whole``."""
    parser = _Parser(
        prog="jhpatch",
        description="Versioned, verified and reversible patches against installed "
        "JupyterHub, notebook and jupyter_server.",
        epilog=_EXIT_CODES,
        formatter_class=_formatter,
        allow_abbrev=False,
    )
    help_text = "the tool, the Python, and the newest release that each patch knows"
    parser.add_argument("--version", action=_Version, nargs=0, help=help_text)
    # With prog, argparse does not format a usage to find it.
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", prog="jhpatch")
    for command, purpose in COMMANDS.items():
        if name not in (None, command):
            continue  # only the parser of the typed command is built
        subparser = commands.add_parser(
            command,
            help=purpose,
            description=purpose,
            epilog="example:\n  python -m jhpatch %s\n\n%s" % (EXAMPLES[command], _EXIT_CODES),
            formatter_class=_formatter,
            allow_abbrev=False,
        )
        if whole or command == name:
            _module(command).add_arguments(subparser)
    return parser


def _module(command: str) -> Any:
    return importlib.import_module("jhpatch.commands." + command)


def _command(argv: List[str]) -> Optional[str]:
    return next((word for word in argv if word in COMMANDS), None)  # for the document alone


def _print(result: Result, runner: Runner, as_json: bool, verbose: bool, quiet: bool) -> int:
    if as_json:
        return terminal.output(_json(result, runner, 1)) or result.exit_code
    style = terminal.style(verbose)
    text = "" if quiet else _text(result, style, runner)
    is_diff = result.command == "diff"
    # A diff for a file or for patch(1) must be the exact bytes.
    paged = style.terminal and is_diff and terminal.paged(text)
    lost = 0 if paged else terminal.output(text, escaped=style.terminal or not is_diff)
    from jhpatch.report.text import errors_text

    terminal.error_output(errors_text(result, runner))
    return lost or result.exit_code


def _text(result: Result, style: Style, runner: Runner) -> str:
    """Return the text of a result for standard output."""
    content = result.content
    if content is None:
        return ""
    if isinstance(content, Script):
        return content.script
    if isinstance(content, Sites):
        from jhpatch.report import site_text

        return site_text.text(result, style, runner)
    if result.command in MAINTENANCE:
        module = importlib.import_module("jhpatch.report.patch_text")
    else:
        module = importlib.import_module("jhpatch.report.host_text")
    return str(module.text(content, result, style, runner))


def _json(result: Result, runner: Runner, indent: Optional[int]) -> str:
    import json

    from jhpatch.report.document import document

    return json.dumps(document(result, runner), indent=indent) + "\n"
