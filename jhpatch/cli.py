"""The command line: parse, dispatch, print once, and turn errors into exit codes.

The only room that prints, exits and reads the environment.
"""

import argparse
import importlib
import os
import sys
from typing import Any, List, NoReturn, Optional, TextIO

from jhpatch import __version__
from jhpatch.commands import COMMANDS
from jhpatch.errors import Failed, JhpatchError, Usage
from jhpatch.result import Result, error_of

_EXIT_CODES = """\
exit codes: 0 done or nothing to do; 1 failed; 2 usage; 3 a check found something;
4 another run holds the lock; 5 refused, nothing changed"""


def _formatter(prog: str) -> argparse.HelpFormatter:
    """With a width of its own: asking the terminal imports shutil, bz2 and lzma."""
    return argparse.RawDescriptionHelpFormatter(prog, width=88)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Usage(message, next="python -m jhpatch %s --help" % (self.prog.split(" ") + [""])[1])


def main(argv: Optional[List[str]] = None) -> int:
    """Runs one command; gives the process's exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        result = _run(arguments)
    except JhpatchError as error:
        result = Result(_command(arguments), error=error_of(error), own_exit_code=error.exit_code)
    except (KeyboardInterrupt, MemoryError, RecursionError, OSError) as error:
        failed = Failed(_said(error), path=_path(error), next="python -m jhpatch status")
        result = Result(_command(arguments), error=error_of(failed), own_exit_code=1)
    return _print(result, "--json" in arguments, bool({"-v", "--verbose"} & set(arguments)))


def _run(argv: List[str]) -> Result:
    name = _command(argv)
    parser = _Parser(
        prog="jhpatch",
        description="Versioned, verified and reversible patches against installed "
        "JupyterHub, notebook and jupyter_server.",
        epilog=_EXIT_CODES,
        formatter_class=_formatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version="jhpatch " + __version__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for command, purpose in COMMANDS.items():
        if name not in (None, command):
            continue  # only what is typed is built
        below = commands.add_parser(
            command,
            help=purpose,
            description=purpose,
            epilog=_EXIT_CODES,
            formatter_class=_formatter,
            allow_abbrev=False,
        )
        if command == name:
            _module(command).add_arguments(below)
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        raise Usage(
            "no command",
            expected="one of " + ", ".join(COMMANDS),
            next="python -m jhpatch --help",
        )
    result = _module(arguments.command).run(arguments)
    assert isinstance(result, Result)
    return result


def _module(command: str) -> Any:
    return importlib.import_module("jhpatch.commands." + command)


def _command(argv: List[str]) -> Optional[str]:
    return next((word for word in argv if word in COMMANDS), None)


def _said(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; nothing is left half done"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "%s; nothing is left half done" % type(error).__name__


def _path(error: BaseException) -> Optional[str]:
    name = getattr(error, "filename", None)
    return os.fsdecode(name) if isinstance(name, (str, bytes)) else None


def _print(result: Result, as_json: bool, verbose: bool) -> int:
    try:
        if as_json:
            _write(sys.stdout, _json(result))
        else:
            from jhpatch import rendering

            terminal = sys.stdout is not None and sys.stdout.isatty()
            colour = terminal and "NO_COLOR" not in os.environ
            _write(sys.stdout, rendering.text(result, terminal, colour, verbose))
            _write(sys.stderr, rendering.talk(result))
        return result.exit_code
    except BrokenPipeError:
        # A reader that went away: nobody is left to tell, and Python must not try at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return result.exit_code
    except OSError as error:
        _write(sys.stderr, "jhpatch: cannot write the result: %s\n" % error.strerror)
        return result.exit_code or 1


def _json(result: Result) -> str:
    import json

    from jhpatch.result import document

    return json.dumps(document(result), indent=1) + "\n"


def _write(stream: Optional[TextIO], text: str) -> None:
    """Text that survives any locale (LC_ALL=C): what it cannot show is escaped."""
    if stream is not None and text:
        encoding = stream.encoding or "ascii"
        raw = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        stream.write(raw.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
